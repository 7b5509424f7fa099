"""Run the command line: ``resolvent VERB [KEY=VALUE ...]``.

Exit codes: 0 success; 2 an error that the user can fix (one line on standard error says what and how); 130 interrupted
(run again to resume); 1 an error of the program.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from resolvent.solvers.errors import InputError

from .verbs import VERBS

STARTS_ANEW = {
    "solve": "nothing was kept: a solve starts from nothing; maxiter= or seconds= ends it with its best iterate",
}
"""What to say of a verb whose interrupted work is lost."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    show_traceback = "--traceback" in arguments
    arguments = [a for a in arguments if a != "--traceback"]
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        kept = STARTS_ANEW.get(arguments[0] if arguments else "", "run the same command again to go on")
        return _fail(f"interrupted; {kept}", 130, show_traceback)
    except InputError as error:
        return _fail(str(error), 2, show_traceback)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(_os_error(error), 2, show_traceback)
    except MemoryError:
        return _fail("out of memory: lower the resolution, the batch size or the number of workers", 2, show_traceback)
    except Exception as error:
        text = f"internal error, {type(error).__name__}: {error} (--traceback shows where; please report it)"
        return _fail(text, 1, show_traceback)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"resolvent {version('resolvent')}")
        return 0
    verb, overrides = arguments[0], arguments[1:]
    if verb not in VERBS:
        from resolvent.solvers.arguments import did_you_mean

        raise InputError(f"unknown verb '{verb}': the verbs are {', '.join(VERBS)}{did_you_mean(verb, list(VERBS))}")
    if "-h" in overrides or "--help" in overrides:
        from .help import help_of

        print(help_of(verb, overrides))
        return 0
    if verb == "bench" and overrides and "=" not in overrides[0] and not overrides[0].startswith("-"):
        overrides[0] = f"name={overrides[0]}"
    if "--cfg" in overrides:
        from omegaconf import OmegaConf

        from .compose import compose_verb

        print(OmegaConf.to_yaml(compose_verb(verb, [o for o in overrides if o != "--cfg"], sweeps=verb == "sweep")))
        return 0
    # The benches run the other verbs, and so stand above them.
    module = importlib.import_module(f"resolvent.workflows.{'' if verb == 'bench' else 'verbs.'}{verb}")
    return int(module.run(overrides))


def overview() -> str:
    """Return the help of the command as a whole."""
    lines = ["resolvent VERB [KEY=VALUE ...]      one command each; settings in Hydra's override grammar", ""]
    lines += [f"  {name:9} {verb.summary}" for name, verb in VERBS.items()]
    lines += [
        "",
        "  resolvent VERB --help   its groups, settings and an example",
        "  --cfg                   print the settings",
    ]
    lines += ["  --traceback             show where an error came from", "  --version", "", "Examples"]
    lines += [f"  {VERBS[name].example}" for name in ("generate", "train", "solve", "sweep")]
    return "\n".join(lines)


def _os_error(error: OSError) -> str:
    where = f" '{error.filename}'" if error.filename else ""
    fixes = {
        errno.ENOSPC: "free some space or choose another out=FOLDER",
        errno.EDQUOT: "free some of your quota or choose another out=FOLDER",
        errno.EFBIG: "the file-size limit was reached: raise it (ulimit -f) or lower shard_size",
        errno.EACCES: "choose another out=FOLDER or change its permissions",
        errno.EPERM: "choose another out=FOLDER or change its permissions",
        errno.EROFS: "the file system is read-only: choose another out=FOLDER",
        errno.ENOENT: "check the path",
        errno.ENOTDIR: "a part of the path is a file: choose another folder",
        errno.EEXIST: "a file of that name is in the way: choose another out=FOLDER",
        errno.EISDIR: "expected a file, this is a folder: check the path",
    }
    fix = fixes.get(error.errno or 0, "check the path and the disk")
    return f"{error.strerror or type(error).__name__}{where}: {fix}"


def _fail(message: str, code: int, show_traceback: bool) -> int:
    if show_traceback:
        traceback.print_exc()
    print(f"resolvent: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
