"""Receivers of events and what was sent to them, and the stream of events for whoever would rather read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, get_args

from litestar import Request, Response, delete, get, patch, post, put
from litestar.openapi.spec import Operation, RequestBody
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter

from service import schemas
from service.access import requires_admin, requires_events
from service.errors import Problem
from service.flow import manage_webhooks, read_events, watch, webhook_log
from service.routes import requests
from service.routes.requests import After, Limit, SiteSlug
from service.schemas.webhooks import DeliveryState

WebhookId = Annotated[str, PathParameter(description="A webhook id.")]
DeliveryId = Annotated[str, PathParameter(description="A delivery id.")]
# What is in these three is checked by the flow, since the framework would name them as they are named here.
State = Annotated[
    str | None,
    QueryParameter(
        name="state",
        description="Only deliveries in this state.",
        schema_extra={"enum": list(get_args(DeliveryState))},
    ),
]
OfComment = Annotated[str | None, QueryParameter(description="Only events of this comment, by its id.")]
Types = Annotated[
    list[str] | None,
    QueryParameter(name="type", description="Only these: names, `comment.*` or `*`; repeat it for several, up to 50."),
]
WaitForEvent = Annotated[
    str | None,
    HeaderParameter(name="Prefer", description="`wait=SECONDS` (RFC 7240), up to 30: wait for the next event."),
]
_PATH = "/v1/admin/sites/{site:str}/webhooks"
_NO_STORE = {"cache-control": "no-store"}


@dataclass
class OptionalBody(Operation):
    """A call that may come without a body, which the framework's schema always asks for."""

    def __post_init__(self) -> None:
        """Say so."""
        if isinstance(self.request_body, RequestBody):
            self.request_body.required = False


@post(_PATH, guards=[requires_admin], tags=["webhooks"])
async def create_webhook(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.WebhookInput],
) -> Response[schemas.WebhookCreated]:
    """Name a receiver of events; its secret is shown this once."""
    context, found, visit = requests.visited(request)
    made = await manage_webhooks.create(context, found, requests.as_member(visit).actor, data)
    return Response(made, headers=_NO_STORE)


@get(_PATH, guards=[requires_admin], tags=["webhooks"])
async def list_webhooks(request: Request[Any, Any, Any], site: SiteSlug) -> schemas.WebhookList:  # noqa: ARG001
    """List the receivers and how they fare."""
    context, found, _ = requests.visited(request)
    return await manage_webhooks.listed(context, found)


@get(_PATH + "/{webhook_id:str}", guards=[requires_admin], tags=["webhooks"])
async def read_webhook(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
) -> schemas.WebhookView:
    """Read one receiver."""
    context, found, _ = requests.visited(request)
    return await manage_webhooks.read(context, found, _webhook(webhook_id))


@patch(_PATH + "/{webhook_id:str}", guards=[requires_admin], tags=["webhooks"])
async def change_webhook(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
    data: JSONBody[schemas.WebhookChange],
) -> schemas.WebhookView:
    """Change URL, events, description or headers; pause it, or make it active again."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    return await manage_webhooks.change(context, found, actor, _webhook(webhook_id), data)


@delete(_PATH + "/{webhook_id:str}", guards=[requires_admin], tags=["webhooks"])
async def delete_webhook(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
) -> None:
    """Forget a receiver with its log; what it is owed is not sent."""
    context, found, visit = requests.visited(request)
    await manage_webhooks.delete(context, found, requests.as_member(visit).actor, _webhook(webhook_id))


@post(_PATH + "/{webhook_id:str}/secrets", guards=[requires_admin], tags=["webhooks"], operation_class=OptionalBody)
async def rotate_secret(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
    data: JSONBody[schemas.RotateInput | None] = None,
) -> Response[schemas.SecretCreated]:
    """Make a new secret, shown this once; the old one signs beside it for `overlap_seconds`, a day without a body."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    wanted = data or schemas.RotateInput()
    made = await manage_webhooks.rotate(context, found, actor, _webhook(webhook_id), wanted)
    return Response(made, headers=_NO_STORE)


@post(_PATH + "/{webhook_id:str}/test", guards=[requires_admin], status_code=202, tags=["webhooks"])
async def test_webhook(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
) -> schemas.DeliveryView:
    """Send `webhook.test`; the delivery tells how it went."""
    context, found, visit = requests.visited(request)
    return await webhook_log.send_test(context, found, requests.as_member(visit).actor, _webhook(webhook_id))


@post(_PATH + "/{webhook_id:str}/replay", guards=[requires_admin], status_code=202, tags=["webhooks"])
async def replay_events(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
    data: JSONBody[schemas.ReplayInput],
) -> schemas.Replayed:
    """Send events once more under the same ids: dead ones, those of a filter, or all since a time."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    return await webhook_log.replay(context, found, actor, _webhook(webhook_id), data)


@get(_PATH + "/{webhook_id:str}/deliveries", guards=[requires_admin], tags=["webhooks"])
async def list_deliveries(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
    in_state: State = None,
    of_types: Types = None,
    comment_id: OfComment = None,
    after: After = None,
    limit: Limit = 50,
) -> Response[schemas.DeliveryList]:
    """List what was sent and what is owed, the newest events first."""
    _check_parameters(request, "state", "type", "comment_id", "after", "limit")
    context, found, _ = requests.visited(request)
    before = webhook_log.requested_cursor(after) if after else None
    answer = await webhook_log.list_deliveries(
        context, found, _webhook(webhook_id), before=before, limit=limit, state=in_state, type_=of_types,
        comment_id=comment_id,
    )  # fmt: skip
    return Response(answer, headers=_NO_STORE)


@get(_PATH + "/{webhook_id:str}/deliveries/{delivery_id:str}", guards=[requires_admin], tags=["webhooks"])
async def read_delivery(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
) -> Response[schemas.DeliveryDetail]:
    """Read one delivery with every attempt."""
    context, found, _ = requests.visited(request)
    answer = await webhook_log.read_delivery(context, found, _webhook(webhook_id), _delivery(delivery_id))
    return Response(answer, headers=_NO_STORE)


@post(
    _PATH + "/{webhook_id:str}/deliveries/{delivery_id:str}/replay",
    guards=[requires_admin],
    status_code=202,
    tags=["webhooks"],
)
async def replay_delivery(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
) -> schemas.DeliveryView:
    """Send one event once more, under the same id."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    return await webhook_log.replay_delivery(context, found, actor, _webhook(webhook_id), _delivery(delivery_id))


@post(
    _PATH + "/{webhook_id:str}/deliveries/{delivery_id:str}/cancel",
    guards=[requires_admin],
    status_code=200,
    tags=["webhooks"],
)
async def cancel_delivery(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
) -> schemas.DeliveryView:
    """Give one delivery up, so that later events of the same comment go on."""
    context, found, visit = requests.visited(request)
    actor = requests.as_member(visit).actor
    return await webhook_log.cancel_delivery(context, found, actor, _webhook(webhook_id), _delivery(delivery_id))


@get("/v1/admin/sites/{site:str}/events", guards=[requires_events], tags=["webhooks"])
async def list_events(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    after: After = None,
    of_types: Types = None,
    prefer: WaitForEvent = None,
    limit: Limit = 100,
) -> Response[schemas.EventList]:
    """Read events in the order of their commits, none ever skipped; `Prefer: wait=30` waits for the next."""
    _check_parameters(request, "after", "type", "limit")
    context, found, _ = requests.visited(request)
    wait = requests.wait_seconds(prefer)
    answer = await read_events.read_events(
        context, found, after=after or None, limit=limit, patterns=of_types, wait_seconds=wait
    )
    return Response(answer, headers=_NO_STORE)


@get("/v1/admin/sites/{site:str}/alerts", guards=[requires_admin], tags=["admin"])
async def read_alerts(request: Request[Any, Any, Any], site: SiteSlug) -> schemas.Alerts:  # noqa: ARG001
    """Read from when on `queue.backlog` is sent."""
    context, found, _ = requests.visited(request)
    return await watch.read_alerts(context, found)


@put("/v1/admin/sites/{site:str}/alerts", guards=[requires_admin], tags=["admin"])
async def set_alerts(
    request: Request[Any, Any, Any],
    site: SiteSlug,  # noqa: ARG001
    data: JSONBody[schemas.Alerts],
) -> schemas.Alerts:
    """Say from when on `queue.backlog` is sent; what is left out has its default, null is never."""
    context, found, visit = requests.visited(request)
    return await watch.set_alerts(context, found, requests.as_member(visit).actor, data)


def _check_parameters(request: Request[Any, Any, Any], *names: str) -> None:
    """A filter that is spelled wrong and passed over would answer everything, or seem to have found nothing."""
    for name in request.query_params:
        if name not in names:
            message = f"is no parameter here; these are: {', '.join(names)}"
            raise Problem("request.invalid", f"{name[:60]} {message}.", fields=[(name[:60], message)])


def _webhook(text: str) -> str:
    return requests.known_id(text, "webhook.unknown")


def _delivery(text: str) -> str:
    return requests.known_id(text, "delivery.unknown")


HANDLERS = [
    create_webhook,
    list_webhooks,
    read_webhook,
    change_webhook,
    delete_webhook,
    rotate_secret,
    test_webhook,
    replay_events,
    list_deliveries,
    read_delivery,
    replay_delivery,
    cancel_delivery,
    list_events,
    read_alerts,
    set_alerts,
]
