"""How the providers of an installation are, for whoever may see its models."""

from collections.abc import Mapping
from uuid import UUID

from aico.api.cost_schemas import KeyView, LimitView, ModelHealthView, ProviderView, StandingView
from aico.api.services import Services
from aico.core.settings import Settings
from aico.routing.breaker import Kind, Scope, scopes_of
from aico.routing.catalogue import Catalogue, ProviderStatus
from aico.routing.providers.credential import operators_of
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.workers.provider_health import Health, Standing, standings, together

_NOTHING_KNOWN: Mapping[Scope, Standing] = {}


async def provider_views(
    held: Services, catalogue: Catalogue, own: Mapping[str, UUID]
) -> tuple[list[ProviderView], bool]:
    """Those of `catalogue`, and whether it is known how they are. `own` are the ids of the tenant's keys. O(models)."""
    accounts = {one.name: _accounts(held, one, own) for one in catalogue.providers}
    scopes = {
        scope
        for one in catalogue.providers
        for account in accounts[one.name]
        for model in one.models
        for scope in scopes_of(one.name, model, account)
    }
    known = await standings(held.broker, sorted(scopes, key=str))
    found = known if known is not None else _NOTHING_KNOWN
    views = [_view(held, one, own.get(one.name), accounts[one.name], found) for one in catalogue.providers]
    return views, known is not None


def _accounts(held: Services, provider: ProviderStatus, own: Mapping[str, UUID]) -> list[UUID | None]:
    """With which the tenant's calls are made; None stands for no key."""
    if not provider.configured:
        return []
    if provider.name in own:
        return [own[provider.name]]
    return [key.id for key in operators_of(PROFILE_BY_NAME[provider.name], held.settings)] or [None]


def _view(
    held: Services,
    provider: ProviderStatus,
    own: UUID | None,
    accounts: list[UUID | None],
    known: Mapping[Scope, Standing],
) -> ProviderView:
    whole = known.get(Scope(Kind.PROVIDER, provider.name), Standing())
    keys = [known.get(Scope(Kind.KEY, provider.name, account), Standing()) for account in accounts]
    models = {
        model: [known.get(Scope(Kind.MODEL, provider.name, account, model), Standing()) for account in accounts]
        for model in provider.models
    }
    each = {model: together(Standing(), [found]) for model, found in models.items()}
    unwell = {model: one for model, one in each.items() if one.health in {Health.OPEN, Health.DEGRADED}}
    return ProviderView(
        name=provider.name,
        configured=provider.configured,
        switched_on_by=provider.switched_on_by,
        own_key=own is not None,
        models=list(provider.models),
        **StandingView.of(together(whole, [keys, each.values()]) if known else None, on=provider.configured),
        keys=[
            KeyView(number=number, **StandingView.of(key if known else None))
            for number, key in _numbered(keys, accounts)
        ],
        unwell_models=[ModelHealthView(model=model, **StandingView.of(one)) for model, one in unwell.items()],
        limits=[
            LimitView(**limit.model_dump(exclude={"provider"}))
            for limit in held.catalogue.limits
            if limit.provider == provider.name
        ],
        batch_lane=provider.configured and _has_lane(held.settings, provider.name),
    )


def _has_lane(settings: Settings, provider: str) -> bool:
    return settings.batch_lanes and PROFILE_BY_NAME[provider].has_batches(settings)


def _numbered(keys: list[Standing], accounts: list[UUID | None]) -> list[tuple[int, Standing]]:
    """From 1, in the order in which they are configured: what stands for a key is nobody's business."""
    return [
        (number, key)
        for number, (key, account) in enumerate(zip(keys, accounts, strict=True), start=1)
        if account is not None
    ]
