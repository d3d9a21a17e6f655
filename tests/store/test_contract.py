from maskwright.store import create_store, open_store
from maskwright.store.hdf5_store import create_hdf5_store, open_hdf5_store
from maskwright.testing.store_contract import StoreContract


class TestMaskStore(StoreContract):
    def create(self, path):
        return create_store(path / "masks")

    def reopen(self, path, *, read_only=False):
        return open_store(path / "masks", read_only=read_only)

    def compact(self, store):
        store.compact(grace_s=0)


class TestHdf5Store(StoreContract):
    has_sql = False

    def create(self, path):
        return create_hdf5_store(path / "masks.h5")

    def reopen(self, path, *, read_only=False):
        return open_hdf5_store(path / "masks.h5", read_only=read_only)
