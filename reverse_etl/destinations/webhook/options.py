"""What a sync of `webhook` can choose."""

from __future__ import annotations

from typing import Any, Literal, Self

from jinja2 import TemplateError
from pydantic import model_validator

from reverse_etl.destinations.webhook.messages import compiled, texts_of
from reverse_etl.spec.syncs import Spec


class WebhookOptions(Spec):
    """The `options:` of a sync to `webhook`."""

    template: Literal["slack", "telegram", "json"] = "json"
    """Who reads the message: decides the body's shape and what is escaped in it."""
    text: str | None = None
    """The message (Jinja); `slack` and `telegram` need one."""
    body: Any = None
    """A body of one's own instead: YAML whose texts are templates."""
    on_unknown: Literal["report", "resend"] = "report"
    """A message whose answer never came: tell and leave it (at most once), or send it again (at least once)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.template != "json" and (self.text is None) == (self.body is None):
            raise ValueError(f"`template: {self.template}` needs a `text`, or a `body` instead of it")
        if self.template == "json" and self.text is not None:
            raise ValueError(
                "`template: json` has no `text`; write a `body`, or leave both out for all fields"
            )
        for text in texts_of([self.text, self.body]):
            try:
                compiled(text, self.template)
            except TemplateError as error:
                raise ValueError(f"the template {text[:60]!r} is wrong: {error}") from None
        return self
