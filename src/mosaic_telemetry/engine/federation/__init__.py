"""Federation: what one server has learned as a signed file, and as another one's prior. Histograms add, and name nobody."""

from mosaic_telemetry.engine.federation.cells import LEAST_CONTRIBUTORS, Published, to_publish
from mosaic_telemetry.engine.federation.file import MOST_BYTES, Signed, read_file, write_file
from mosaic_telemetry.engine.federation.keys import SigningKey
from mosaic_telemetry.engine.federation.prior import Prior, Priors

__all__ = ["LEAST_CONTRIBUTORS", "MOST_BYTES", "Prior", "Priors", "Published", "Signed", "SigningKey", "read_file", "to_publish", "write_file"]
