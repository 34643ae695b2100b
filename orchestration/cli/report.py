"""`karvon report`: a user's report page, or everybody's."""

from __future__ import annotations

from pathlib import Path

import click

from orchestration.cli.session import opened, plain_errors


@click.command("report")
@click.option("--user", "user_id", help="The page of this user.")
@click.option("--all", "every", is_flag=True, help="The pages of all users whose figures moved.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Default: <home>/<profile>/reports/users, where runs keep them too.",
)  # fmt: skip
@plain_errors
def report_command(user_id: str | None, every: bool, out: Path | None) -> None:
    """Write a user's figures as one page that works offline. Nothing is read from the sources."""
    from karvon.home import share_like_folder
    from reports.user import page_path, user_page, write_pages

    if bool(user_id) == every:
        raise click.UsageError("say either --user U or --all.")
    settings, warehouse = opened()
    folder = out or settings.user_reports_path
    if user_id:
        text = user_page(warehouse, user_id)
        folder.mkdir(parents=True, exist_ok=True)
        path = page_path(folder, user_id)
        path.write_text(text, encoding="utf-8")
        share_like_folder(path)
        click.echo(f"Wrote {path}")
        return
    pages = list(write_pages(warehouse, folder))
    for path, is_new in pages:
        click.echo(f"Wrote {path}" if is_new else f"{path} is as it was")
    if not pages:
        click.echo("There is no user yet; `karvon sources add` declares a first source.")
