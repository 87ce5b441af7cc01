"""Federation: what one server has learned as a signed file, and as another one's prior. Histograms add, and name nobody."""

from mosaic_telemetry.engine.federation.cells import LEAST_CONTRIBUTORS, Published, to_publish
from mosaic_telemetry.engine.federation.file import MOST_BYTES, Signed, check_source, read_file, write_file
from mosaic_telemetry.engine.federation.keys import SigningKey, key_of, name_of_key
from mosaic_telemetry.engine.federation.prior import Prior, Priors

__all__ = [
    "LEAST_CONTRIBUTORS",
    "MOST_BYTES",
    "Prior",
    "Priors",
    "Published",
    "Signed",
    "SigningKey",
    "check_source",
    "key_of",
    "name_of_key",
    "read_file",
    "to_publish",
    "write_file",
]
