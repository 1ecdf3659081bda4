"""Every strategy by its name, behind the protocol of one."""

from collections.abc import Mapping
from types import MappingProxyType

from aico.core.strategies import StrategyName
from aico.routing.strategies.cascade import CascadeStrategy
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.hybrid import HybridStrategy
from aico.routing.strategies.learning import LearningStrategy
from aico.routing.strategies.protocol import Ask, Decision, Strategy

STRATEGIES: Mapping[StrategyName, Strategy] = MappingProxyType(
    {
        StrategyName.COMPLEXITY: ComplexityStrategy(),
        StrategyName.LEARNING: LearningStrategy(),
        StrategyName.HYBRID: HybridStrategy(),
        StrategyName.CASCADE: CascadeStrategy(),
    }
)
DEFAULT = StrategyName.HYBRID


class Strategies:
    """Decides by the strategy that an ask's policy names."""

    def __init__(self, by_name: Mapping[StrategyName, Strategy] = STRATEGIES, default: StrategyName = DEFAULT) -> None:
        self._by_name = by_name
        self._default = default

    def decide(self, ask: Ask) -> Decision:
        return self._by_name[ask.policy.strategy or self._default].decide(ask)
