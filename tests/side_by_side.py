"""Which runner a test goes to, where tests run side by side: files stay whole, and so does what shares dear servers."""

from xdist.scheduler import LoadFileScheduling

# These start the whole product: one runner does them all, from the beginning on, while the others do the rest.
PRODUCT = ("tests/acceptance/", "tests/faults/", "tests/bench/", "tests/third_party/")
FOLDERS = ("tests/api/isolation/", "tests/browser/")  # servers for the folder


def starts_the_product(nodeid: str) -> bool:
    return nodeid.startswith(PRODUCT)


class ByServers(LoadFileScheduling):  # type: ignore[misc]  # the plugin has no types
    def _split_scope(self, nodeid: str) -> str:
        if starts_the_product(nodeid):
            return "the product"
        return next((folder for folder in FOLDERS if nodeid.startswith(folder)), super()._split_scope(nodeid))
