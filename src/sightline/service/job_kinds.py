"""What a job can be: each kind is one entry here, and is run in a process of its own."""

from collections.abc import Mapping

from sightline.service.job_comparing import COMPARE
from sightline.service.job_data import CHECK, DIVIDE, IMPORT
from sightline.service.job_judging import REINSPECT, VALIDATE
from sightline.service.job_learning import EXPORT, SEARCH, TRAIN
from sightline.service.job_rejudging import REJUDGE
from sightline.service.job_storage import TIERING
from sightline.service.job_task import Kind
from sightline.service.job_teaching import TEACH

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (TRAIN, TEACH, SEARCH, EXPORT, VALIDATE, REINSPECT, REJUDGE, COMPARE, IMPORT, CHECK, DIVIDE, TIERING)
}
