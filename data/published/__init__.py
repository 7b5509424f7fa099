"""Keep what the code behind published papers did, its defects included; the problems use it for a setting `legacy`."""
