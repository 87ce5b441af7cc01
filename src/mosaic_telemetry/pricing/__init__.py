"""What a model call costs, and where that figure comes from.

Prices and context windows are those that ship with genai-prices (MIT). It is imported when the first price is asked for,
since that takes a third of a second, and its updater is never started: nothing here touches the network.
"""

from mosaic_telemetry.pricing.names import candidates
from mosaic_telemetry.pricing.price import Price, PriceSource, context_window, price_call, total_price
from mosaic_telemetry.pricing.responses import Answered, read_answer
from mosaic_telemetry.pricing.usage import TokenUsage
from mosaic_telemetry.pricing.userlist import PriceEntry, PriceFileError, PriceList, load_prices, usual_price_file

__all__ = [
    "Answered",
    "Price",
    "PriceEntry",
    "PriceFileError",
    "PriceList",
    "PriceSource",
    "TokenUsage",
    "candidates",
    "context_window",
    "load_prices",
    "price_call",
    "read_answer",
    "total_price",
    "usual_price_file",
]
