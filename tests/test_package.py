import subprocess
import sys

import pytest

import maskwright as mw


@pytest.mark.parametrize("name", mw.__all__)
def test_every_public_name_is_there(name):
    assert getattr(mw, name) is not None
    assert name in dir(mw)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sement'"):
        mw.sement  # noqa: B018


@pytest.mark.parametrize(
    "first", ["pass", "import maskwright.predict", "mw.predict", "from maskwright.predict import embed"]
)
def test_predict_can_be_called_whatever_was_imported_before(first):
    code = (
        f"import maskwright as mw\n{first}\n"
        "import numpy as np\n"
        "model = mw.load_model('test-sam')\n"
        "embedding = mw.embed(model, mw.Image(np.zeros((8, 8, 3), np.uint8)))\n"
        "assert len(mw.predict(model, embedding, [mw.PointPrompt([(1, 1)])])) == 1\n"
        "import sys\n"
        "assert 'torch._dynamo' not in sys.modules"  # what compiles takes two seconds to import
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_no_other():
    code = "import sys, maskwright; sys.exit(str([n for n in ('torch', 'numpy', 'jaxtyping') if n in sys.modules]))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == "[]\n"
