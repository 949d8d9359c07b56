"""A group of commands that names the near one of a command that is not there. Every command imports it: it is light."""

import click

from tonegap.lines import did_you_mean


class NearGroup(click.Group):
    """A group that names the near command for one that is not there."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's. Raises UsageError for a command that is not there."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            near = did_you_mean(args[0], known)
            raise click.UsageError(
                f"no command {args[0]!r}{near}; `{ctx.command_path} --help` lists them"
            )
        return super().resolve_command(ctx, args)
