"""Model names as Ollama reads them: registry.ollama.ai/library/<model>:latest, whatever the case."""

import functools
import re

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z")
NAMESPACE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\Z")
HOST_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}\Z")


class Name:
    """A parsed name; key is the same for every spelling of one model."""

    __slots__ = ("host", "namespace", "model", "tag", "cloud", "key")

    def __init__(self, host, namespace, model, tag, cloud):
        self.host, self.namespace, self.model, self.tag, self.cloud = host, namespace, model, tag, cloud
        self.key = f"{host}/{namespace}/{model}:{tag}".lower()

    def shortest(self):
        """The name as /api/tags shows it: defaults on the left are left out, the tag never is."""
        text = f"{self.model}:{self.tag}"
        if self.host.lower() != HOST:
            return f"{self.host}/{self.namespace}/{text}"
        return text if self.namespace.lower() == NAMESPACE else f"{self.namespace}/{text}"


@functools.lru_cache(maxsize=4096)
def parse(text):
    """A Name, or None when the text is none."""
    text = text.strip()
    if text.lower().endswith(":local"):
        text = text[:-6]
    base = text.split("://", 1)[-1]
    path, colon, tag = base.rpartition(":")
    if not colon or "/" in tag:
        path, tag = base, TAG
    parts = path.split("/")
    if len(parts) > 3:
        return None
    model = parts[-1]
    namespace = parts[-2] if len(parts) > 1 else NAMESPACE
    host = parts[0] if len(parts) > 2 else HOST
    if not (PART.match(model) and PART.match(tag) and NAMESPACE_PART.match(namespace) and HOST_PART.match(host)):
        return None
    cloud = tag.lower() == "cloud" or tag.lower().endswith("-cloud")
    return Name(host, namespace, model, tag, cloud)
