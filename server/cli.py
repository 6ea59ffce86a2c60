"""The command line: `visavis VERB`. Each verb lives in a file of `server/commands`, imported when it is called."""

from __future__ import annotations

import importlib
import keyword
import os
import sys

import click

from models import __version__, stopping
from models.errors import VisavisError
from server import installation
from server.console import failed

STOPPED = "stopped; nothing half-written is left"
VERBS = {
    "enroll": "Make an avatar from one or several photos of a person.",
    "view": "Draw an avatar from all sides and with six expressions.",
    "drive": "Puppet an avatar with a recorded clip, or with recorded drive frames.",
    "listen": "Record what a phone sends (Live Link Face), or let it drive an avatar in a call.",
    "export": "Write an avatar for other programs: PLY, SPZ, GaussianAvatars, LAM.",
    "import": "Make an avatar file of what GaussianAvatars trained.",
    "serve": "Start the server: a live call with an avatar.",
    "admin": "People, API keys, audit log and backups of a server.",
    "eval": "Measure quality against recorded truth.",
    "synth-heads": "Draw people who do not exist, as truth to train and measure with.",
    "train": "Train the diffusion prior on people who do not exist.",
    "bench": "Measure speed and accuracy on this machine.",
    "doctor": "Say what is installed and what is missing, or what keeps a call from connecting.",
}


class _Verbs(click.Group):
    """Verbs by name, so that `visavis --help` imports nothing heavy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"server.commands.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="visavis")
def cli() -> None:
    """One portrait photo to a live 3D head avatar in the browser."""


def main() -> None:
    """Entry point. Exit codes: 0 done, 2 something the person can mend (one sentence on stderr), 130 stopped by
    Ctrl-C, 143 by `kill`, 129 by a terminal that was closed."""
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with stopping.as_exceptions():
            cli.main(standalone_mode=False)
    except VisavisError as error:
        sys.exit(failed(str(error), error.exit_code))
    except ImportError as error:
        sentence = installation.explain(error)
        if sentence is None:
            raise
        sys.exit(failed(sentence, 2))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        sys.exit(failed(error.format_message(), 2))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(failed(STOPPED, 130))
    except stopping.Stopped as stopped:
        sys.exit(failed(STOPPED, int(stopped.code or 0)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away: nothing left to tell


if __name__ == "__main__":
    main()
