"""What the code behind published papers did, its defects included; used by the problems when asked for."""
