"""The command line: `python -m service serve` is all a small site needs; `--help` names the rest."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence

try:
    from moderation.scorers import Scorer
    from service.home import make_home
    from service.settings import Settings, SettingsError
except ModuleNotFoundError as missing:
    # The first thing that somebody meets who did not run `make setup`, and no place for a traceback.
    if __name__ != "__main__":
        raise
    print(
        f"colloquy: {missing.name} is not installed; run make setup, then .venv/bin/python -m service", file=sys.stderr
    )
    sys.exit(2)

Command = Callable[[argparse.Namespace, Settings], int]

UNWELL = 1
REFUSED = 2
"""The exit code when the service does not start for a reason that the operator can mend."""
QUICK_COMMANDS = ("api", "work", "worker", "scorer", "health")
"""Those that are started again and again, and do not wait until all others are imported."""
RUNNING_COMMANDS = ("serve", "demo", "api", "work", "worker")
"""Those of which traces may be asked for."""

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit code; what the operator can mend is one line, never a traceback."""
    # The database, its journals and Redis's files hold what readers wrote, also in a folder that others may enter.
    os.umask(0o077)
    given = list(sys.argv[1:] if arguments is None else arguments)
    # A restarted process does not wait for commands that it will not run.
    admin = given[:1] != [] and given[0] not in QUICK_COMMANDS
    try:
        options = _parser(admin=admin).parse_args(given)
        run: Command = options.run
        settings = Settings.from_environment(os.environ)
        from service.telemetry import configure_logging

        configure_logging(settings.log_level)
        if given[:1] and given[0] in RUNNING_COMMANDS:
            _require_tracing(settings)
        return run(options, settings)
    except SettingsError as error:
        print(f"colloquy: {error}", file=sys.stderr)
        return REFUSED
    except ModuleNotFoundError as error:
        print(f"colloquy: {error.name} is not installed; run make setup again", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return 130
    except Exception:
        # Through the log's formatter, because a traceback would show the message, which may quote a comment.
        _log.exception("command.failed")
        return 1


def _parser(*, admin: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Colloquy: comments and their moderation, self-hosted.",
        epilog="Settings are read from the environment: PORT, COLLOQUY_HOME, DATABASE_URL, REDIS_URL, ...",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    serve = commands.add_parser("serve", help="run everything on this machine and keep it running")
    extent = serve.add_mutually_exclusive_group()
    extent.add_argument("--no-workers", action="store_true", help="only the API, without supervision; needs REDIS_URL")
    extent.add_argument("--demo", action="store_true", help="make a demo site first and print where it is")
    serve.set_defaults(run=_serve)
    demo = commands.add_parser("demo", help="the same as serve --demo")
    demo.add_argument(
        "--discussion",
        action="store_true",
        help="send an invented discussion over HTTP, to the demo that runs or to this one, and print what became of it",
    )
    demo.set_defaults(run=_demo, demo=True, no_workers=False)
    api = commands.add_parser("api", help="run one API server; needs REDIS_URL")
    api.set_defaults(run=_api)
    work = commands.add_parser(
        "work", aliases=["worker"], help="run one worker: scoring and the sweep; needs REDIS_URL"
    )
    work.set_defaults(run=_work)
    migrate = commands.add_parser("migrate", help="bring the database to this version's tables")
    migrate.set_defaults(run=_migrate)
    health = commands.add_parser("health", help="exit code 0 when the API on this machine can serve, else 1")
    health.add_argument("--worker", action="store_true", help="ask the worker, at WORKER_PORT")
    health.set_defaults(run=_health)
    # Without a help text it is not listed: only a worker starts it.
    commands.add_parser("scorer").set_defaults(run=_scorer)
    if admin:
        from service.backup_command import add_backup
        from service.commands import add_commands
        from service.doctor_command import add_doctor
        from service.model_commands import add_model_commands
        from service.score_command import add_score
        from service.settings_command import add_settings
        from service.shadow_command import add_shadow

        add_commands(commands)
        add_model_commands(commands)
        add_score(commands)
        add_settings(commands)
        add_backup(commands)
        add_doctor(commands)
        add_shadow(commands)
    return parser


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    if options.no_workers:
        return _api(options, settings)
    from service.serve import serve

    return serve(settings, os.environ, demo=options.demo, say=_say)


def _demo(options: argparse.Namespace, settings: Settings) -> int:
    if not options.discussion:
        return _serve(options, settings)
    from service.demo.command import is_running, send

    if is_running(settings):
        return send(settings, _say)
    from service.serve import serve

    return serve(settings, os.environ, demo=True, say=_say, then=lambda: send(settings, _say))


def _say(line: str) -> None:
    print(line, flush=True)


def _api(_options: argparse.Namespace, settings: Settings) -> int:
    _require_redis(settings)
    supervised = _end_with_supervisor()
    if not supervised:
        _require_database(settings)
    from service.api_server import run_api

    return run_api(settings, supervised=supervised)


def _work(_options: argparse.Namespace, settings: Settings) -> int:
    _require_redis(settings)
    if not _end_with_supervisor():
        _require_database(settings)
    import uvloop

    from service.composition import run_worker

    uvloop.run(run_worker(settings))
    return 0


def _migrate(_options: argparse.Namespace, settings: Settings) -> int:
    import asyncio

    from service.composition import finish_upgrade
    from service.store.migrate import upgrade

    make_home(settings)
    print(f"database is at {upgrade(settings.database)}")
    for slug in asyncio.run(finish_upgrade(settings)):
        print(f"{slug}: the default policy of this version is in force in place of a former one")
    return 0


def _health(options: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from service.serve import answers

    if options.worker:
        settings = msgspec.structs.replace(settings, host=settings.worker_host, port=settings.worker_port)
    return 0 if answers(settings, "/health/ready") else UNWELL


def _scorer(_options: argparse.Namespace, settings: Settings) -> int:
    from service.workers.scorer_child import run_child_of

    def build() -> Scorer:
        from service.scorers import build_scorer

        return build_scorer(settings)

    run_child_of(build)
    return 0


def _require_tracing(settings: Settings) -> None:
    if settings.otel_exporter_otlp_endpoint:
        from service.composition import check_tracing

        check_tracing(settings)


def _require_redis(settings: Settings) -> None:
    if not settings.redis_url:
        raise SettingsError("REDIS_URL: is needed here; only `serve` with its own workers starts a Redis by itself")


def _require_database(settings: Settings) -> None:
    """Under a supervisor this was done; elsewhere migrating is a step of its own, before the processes start."""
    import asyncio

    from service.composition import check_keys, check_tables

    async def check() -> None:
        await check_tables(settings)
        await check_keys(settings)

    asyncio.run(check())


def _end_with_supervisor() -> bool:
    """A process of a supervisor does not outlive it; one started by hand or by an init system ends by signals alone."""
    from service.parent_watch import end_with_parent
    from service.serve import SUPERVISOR_VARIABLE

    supervisor = os.environ.get(SUPERVISOR_VARIABLE, "")
    if not supervisor.isdecimal():
        return False
    end_with_parent(parent=int(supervisor))
    return True


if __name__ == "__main__":
    sys.exit(main())
