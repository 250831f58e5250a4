"""The commands `backup` and `restore`: a whole copy of what counts, and its way back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from service.backup.key import read_password
from service.settings import Settings

BROKEN = 1


def add_backup(subparsers: Any) -> None:
    """Add `backup` and `restore` to the command line."""
    parser = subparsers.add_parser("backup", help="copy the database into a new folder while the service goes on")
    parser.add_argument("folder", metavar="TO", type=Path, help="a folder that is not there yet, or empty")
    _add_password(parser, "put the secret key in, sealed with the password on the first line of FILE")
    parser.set_defaults(run=_backup)
    parser = subparsers.add_parser("restore", help="put a backup into an empty home and database, and check it")
    parser.add_argument("folder", metavar="FROM", type=Path, help="the folder of a backup")
    parser.add_argument("--force", action="store_true", help="replace the database that is there")
    _add_password(parser, "open the sealed secret key with the password on the first line of FILE")
    parser.set_defaults(run=_restore)


def _add_password(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--key-password-file", metavar="FILE", type=Path, help=text)


def _password(options: argparse.Namespace) -> str | None:
    return read_password(options.key_password_file) if options.key_password_file else None


def _backup(options: argparse.Namespace, settings: Settings) -> int:
    from service.backup.make import make

    made = asyncio.run(make(settings, options.folder, key_password=_password(options)))
    size = sum(file.size for file in made.files.values())
    sys.stdout.write(f"{options.folder}: {made.database} at {made.migration}, {size:,} bytes\n")
    if made.key == "left_out":
        where = "SECRET_KEY" if settings.secret_key else f"{settings.home / 'secret.key'}"
        _note(
            f"the secret key is NOT in this backup, which is useless without it: keep a copy of {where} apart from it"
        )
    else:
        _note("the secret key is in it, sealed with your password: keep the password apart from it")
    return 0


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    from service.backup.restore import restore

    done = asyncio.run(restore(settings, options.folder, force=options.force, key_password=_password(options)))
    found = done.manifest
    sys.stdout.write(f"restored what was backed up at {found.made_at}; the database is at {done.migration}\n")
    for walked in done.walked:
        if walked.fault is not None:
            sys.stdout.write(f"{walked.name}: BROKEN at event {walked.at}: {walked.fault}\n")
    if done.is_whole:
        sys.stdout.write(f"{len(done.walked)} audit chains hold, and go as far as the backup says\n")
    if settings.redis_url:
        _note("the Redis of REDIS_URL may know more than this database: flush it, or set another REDIS_PREFIX")
    _note("who was erased since the backup is in it again: `audit list` of before names them as commenter.erased")
    return 0 if done.is_whole else BROKEN


def _note(line: str) -> None:
    sys.stderr.write(f"{line}\n")
