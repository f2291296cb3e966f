"""What people's programs do with google-cloud-aiplatform, against the server at argv[1]; prints one JSON document.

python vertex_calls.py URL BAD
"""

import base64
import json
import sys
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.cloud.aiplatform_v1 import PredictionServiceClient

url, bad = sys.argv[1], Path(sys.argv[2])
PLACE = "projects/123/locations/us-central1/endpoints/456"
credentials = AnonymousCredentials()
aiplatform.init(project="p", location="us-central1", credentials=credentials, api_endpoint=url, api_transport="rest")
endpoint = aiplatform.Endpoint(PLACE)
instance = {"content": base64.b64encode(bad.read_bytes()).decode(), "mimeType": "image/jpeg"}


def refused(instances):
    try:
        endpoint.predict(instances=instances)
    except GoogleAPICallError as error:
        return [type(error).__name__, error.code]
    return None


prediction = endpoint.predict(instances=[instance, instance], parameters={"confidenceThreshold": 0.5})
low = PredictionServiceClient(credentials=credentials, client_options={"api_endpoint": url}, transport="rest")
print(
    json.dumps(
        {
            "predictions": prediction.predictions,
            "model": prediction.model_resource_name,
            "version": prediction.model_version_id,
            "boxes": endpoint.predict(instances=[instance], parameters={"task": "detection"}).predictions,
            "name": endpoint.display_name,
            "low": [dict(one) for one in low.predict(endpoint=PLACE, instances=[instance]).predictions],
            "refused": refused([{"content": "no picture"}]),
            "versions": {"google-cloud-aiplatform": aiplatform.__version__},
        },
        default=list,
    )
)
