"""Signing in to data sources whose tokens change, and the key of the store that holds them."""

from __future__ import annotations

import click

from orchestration.cli.session import opened, plain_errors


@click.group("auth")
def auth_command() -> None:
    """The encrypted store of signed-in data sources (KARVON_CREDENTIALS_KEY)."""


@auth_command.command("key")
def make_key() -> None:
    """Print a fresh key for KARVON_CREDENTIALS_KEY."""
    from karvon.credentials import new_key

    click.echo(new_key())


@auth_command.command("login")
@click.argument("source")
@click.option("--refresh-token", prompt=True, hide_input=True, help="What the vendor's consent page gave.")
@plain_errors
def login(source: str, refresh_token: str) -> None:
    """Keep a refresh token for SOURCE (user/source); the first run exchanges it."""
    from orchestration.user_apis import credential_store, declared_sources

    settings, _ = opened()
    known = {one.connection: one for one in declared_sources(settings).sources}
    if source not in known or known[source].auth.type != "oauth2_refresh_token":
        raise click.ClickException(
            f"{source} is no source with `auth: {{type: oauth2_refresh_token}}`; `karvon sources list` shows all."
        )
    credential_store(settings).write(source, {"refresh_token": refresh_token.strip()})
    click.echo(f"{source} is signed in; `karvon sources test {source}` tries it.")


@auth_command.command("logout")
@click.argument("source")
@plain_errors
def logout(source: str) -> None:
    """Forget what is kept for SOURCE."""
    from orchestration.user_apis import credential_store

    settings, _ = opened()
    click.echo(
        "Forgotten." if credential_store(settings).forget(source) else f"Nothing is kept for {source}."
    )


@auth_command.command("list")
@plain_errors
def list_entries() -> None:
    """The sources that are signed in; never their tokens."""
    from orchestration.user_apis import credential_store

    settings, _ = opened()
    names = credential_store(settings).names()
    for name in names:
        click.echo(name)
    if not names:
        click.echo("No source is signed in; `karvon auth login SOURCE` does it.", err=True)


@auth_command.command("rotate")
@plain_errors
def rotate() -> None:
    """Encrypt everything with the first key of KARVON_CREDENTIALS_KEY."""
    from orchestration.user_apis import credential_store

    settings, _ = opened()
    count = credential_store(settings).rotate()
    click.echo(
        f"{count} entries are under the first key; older keys can be taken out of KARVON_CREDENTIALS_KEY."
    )
