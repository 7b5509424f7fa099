"""Compose Hydra configs from a verb and its overrides, with errors that name the fix.

The compose API is used throughout, so that the library, the tests and every worker read the same configs without
``@hydra.main``. Overrides are checked before Hydra composes: a group's option, a key and a value's type are each
compared with what the config holds, and the nearest name is offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from resolvent.solvers import InputError
from resolvent.solvers.arguments import did_you_mean

from .config_files import GROUPS, group_options, groups_of


def one_line(error: BaseException) -> str:
    """Return an exception's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def configs() -> Iterator[None]:
    """Open the project's config module for Hydra's compose API."""
    GlobalHydra.instance().clear()
    with initialize_config_module(version_base="1.3", config_module="resolvent.conf"):
        yield


def parse(overrides: Sequence[str]) -> list[Override]:
    """Parse overrides by Hydra's grammar; an unreadable one raises `InputError`."""
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        if text.startswith("-"):
            raise InputError(f"unknown option '{text}': options are --help, --cfg, --traceback; settings are KEY=VALUE")
        if "=" not in text and not text.startswith("~"):
            raise InputError(f"'{text}' is not a setting: expected KEY=VALUE, such as out=FOLDER")
        try:
            parsed.append(parser.parse_override(text))
        except HydraException as error:
            key = text.split("=", 1)[0]
            raise InputError(
                f"cannot read '{text}': quote a value that holds spaces, commas, brackets or '=', as in"
                f""" '{key}="a value"' ({one_line(error).split(" See https")[0][:160]})"""
            ) from None
    return parsed


def compose_verb(verb: str, overrides: Sequence[str], sweeps: bool = False) -> DictConfig:
    """Compose the config of a verb.

    Parameters
    ----------
    verb : the name of a primary config in ``resolvent.conf``.
    overrides : ``KEY=VALUE`` in Hydra's grammar.
    sweeps : allow ``choice()``, ``range()``, ``interval()`` and comma lists; each swept key is checked and then
        takes its first value in what is returned.

    Raises
    ------
    InputError
        For an unknown group, option or key (with the nearest known name), an unreadable override, a value of the wrong
        type, or a sweep where none is possible.
    """
    with configs():
        parsed = parse(overrides)
        groups = groups_of(verb)
        for override in parsed:
            if override.is_sweep_override() and not sweeps:
                raise InputError(
                    f"'{override.input_line}' names several values: only 'resolvent sweep' varies settings; a list is"
                    f" written {override.key_or_group}=[a,b]"
                )
            _check_group(verb, override, groups)
        chosen = [o for o in parsed if o.key_or_group in groups and not o.key_or_group.startswith("hydra")]
        settings = [o for o in parsed if o not in chosen and not o.key_or_group.startswith("hydra")]
        plain = _compose(verb, [_first(o) for o in chosen])
        for override in settings:
            _check_key(verb, override, plain)
        config = _compose(verb, [_first(o) for o in chosen + settings]) if settings else plain
        for override in settings:
            _check_type(override, plain, config)
        return config


def is_continuous(override: Override) -> bool:
    """Return whether an override sweeps over an ``interval()``."""
    return override.is_sweep_override() and not override.is_discrete_sweep()


def keys_of(config: Any, prefix: str = "") -> list[str]:
    """Return every dotted key of a config."""
    keys = []
    for key in config:
        path = f"{prefix}{key}"
        keys.append(path)
        node = config._get_node(key)
        if OmegaConf.is_dict(node) and not node._is_none() and not node._is_missing():
            keys += keys_of(node, path + ".")
    return keys


def _first(override: Override) -> str:
    """Return an override with one value: for a swept key, its first."""
    text = override.input_line
    assert text is not None
    if not override.is_sweep_override():
        return text
    key = override.get_key_element()
    if override.is_discrete_sweep():
        values = list(override.sweep_string_iterator())
        if not values:
            raise InputError(f"'{text}' holds no values: range(start,stop,step) needs start < stop and step > 0")
        return f"{key}={values[0]}"
    interval = override.value()
    assert isinstance(interval, IntervalSweep)
    return f"{key}={interval.start}"


def _compose(verb: str, overrides: Sequence[str]) -> DictConfig:
    try:
        return compose(config_name=verb, overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(f"cannot compose the settings of '{verb}': {one_line(error)}") from None


def _check_group(verb: str, override: Override, groups: Sequence[str]) -> None:
    group = override.key_or_group
    if group not in groups:
        return
    if override.is_delete() or (override.is_sweep_override() and is_continuous(override)):
        raise InputError(f"'{override.input_line}': {group} is a group of named options; choose one with {group}=NAME")
    options = group_options(group)
    values = list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.value()]
    for value in values:
        if value is not None and str(value) not in options:
            raise InputError(
                f"{group}={value} is unknown: the options are {', '.join(options)}{did_you_mean(str(value), options)}"
            )


def _check_key(verb: str, override: Override, config: DictConfig) -> None:
    key = override.key_or_group
    if override.is_add() or override.is_force_add():
        return
    known = keys_of(config)
    if key in known:
        return
    top, _, rest = key.partition(".")
    if rest and top in GROUPS and config.get(top) is None:
        raise InputError(f"'{override.input_line}': no {top} is chosen; choose one first with {top}=NAME")
    scope = [k for k in known if k.startswith(top + ".")] if rest else [k for k in known if "." not in k]
    listed = scope or [k for k in known if "." not in k]
    raise InputError(f"unknown setting '{key}' for '{verb}': known are {', '.join(listed)}{did_you_mean(key, listed)}")


def _takes_a_list(key: str, example: Any) -> bool:
    """Return whether a key takes a list (an entry per axis, or epochs) although the config shows one value."""
    sizes_or_names = isinstance(example, int | str) and not isinstance(example, bool)
    return (
        key.startswith(("problem.", "draw."))
        or key == "step_epochs"
        or (key.startswith("operator.") and sizes_or_names)
    )


def _check_type(override: Override, plain: DictConfig, config: DictConfig) -> None:
    """Compare a value's type with that of the config's value."""
    key = override.key_or_group
    if override.is_add() or override.is_force_add() or override.is_delete():
        return
    example, value = OmegaConf.select(plain, key), OmegaConf.select(config, key)
    if example is None or isinstance(example, DictConfig):
        if isinstance(example, DictConfig) and not isinstance(value, DictConfig):
            raise InputError(
                f"'{override.input_line}': {key} holds settings of its own; set one of them, {key}.NAME=VALUE"
            )
        return
    if isinstance(value, ListConfig) and _takes_a_list(key, example):
        return
    expected: dict[type, tuple[str, tuple[type, ...]]] = {
        bool: ("true or false", (bool,)),
        int: ("an integer", (int,)),
        float: ("a number", (int, float)),
        str: ("a word", (str, int, float)),
    }
    name, types = expected.get(type(example), ("a list", (type(example),)))
    right = isinstance(value, types) and (isinstance(value, bool) == isinstance(example, bool))
    if not right and isinstance(example, int) and isinstance(value, float) and value.is_integer():
        OmegaConf.update(config, key, int(value))  # samples=1e3
        return
    if not right:
        shown = OmegaConf.to_container(example) if OmegaConf.is_config(example) else example
        raise InputError(f"'{override.input_line}': {key} is {name}, such as {key}={shown}")
    if isinstance(example, str) and not isinstance(value, str):
        OmegaConf.update(config, key, str(override.get_value_element_as_str()))
