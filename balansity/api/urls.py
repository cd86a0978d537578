from csp.decorators import csp_update
from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

# The one that keeps its script out of the page. Its renderer has nothing for the answer to OPTIONS.
_docs = SpectacularSwaggerSplitView.as_view(
    url_name="api-schema", template_name="api/docs.html", http_method_names=["get", "head"]
)

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    # Swagger UI draws its arrows from addresses of its own style sheet.
    path("docs", csp_update({"img-src": ["data:"]})(_docs), name="api-docs"),
]
