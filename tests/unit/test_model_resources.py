"""Resources are read strictly, and their arithmetic leaves no crumbs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sweep.errors import ResourcesError
from pytest_sweep.model import Resources
from pytest_sweep.model.placement import Placement
from pytest_sweep.model.request import Request
from pytest_sweep.model.shared import SharedFixture, shared_request


class TestParse:
    def test_defaults(self) -> None:
        """Nothing asked for is one CPU."""
        assert Request.parse({}).resources == Resources() == Resources(cpu=1.0, gpu=0.0, memory=0, custom=())

    def test_all(self) -> None:
        """Each resource is taken as it is written; custom ones are sorted, so that equal requests are equal."""
        parsed = Request.parse({"cpu": 2, "gpu": 0.5, "memory": "4GiB", "custom": {"tpu": 1, "a100": 0.5}})
        assert parsed.resources == Resources(2.0, 0.5, 4 * 2**30, (("a100", 0.5), ("tpu", 1.0)))

    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("1024", 1024), ("10b", 10), ("500MB", 500 * 10**6), ("500 mb", 500 * 10**6), ("1.5GiB", 3 * 2**29),
            (" 2KiB ", 2048), ("1TB", 10**12), ("1tib", 2**40), (4096, 4096), (0, 0),
        ],
    )  # fmt: skip
    def test_memory(self, text: object, size: int) -> None:
        """Memory is bytes, or a number with a decimal or binary unit, whatever its case."""
        assert Request.parse({"memory": text}).resources.memory == size

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"cpus": 1}, "'cpus' is not a resource: did you mean 'cpu'?"),
            ({"tpu_v5": 1}, "'tpu_v5' is not a resource: there are cpu, gpu, memory, custom, labels, workers, strategy, nodes; others"),
            ({"cpu": -1}, "cpu=-1 is negative"),
            ({"cpu": "two"}, "cpu='two' is not a number"),
            ({"cpu": True}, "cpu=True is not a number"),
            ({"gpu": float("nan")}, "gpu=nan is not a number"),
            ({"gpu": float("inf")}, "gpu=inf is not a number"),
            ({"gpu": None}, "gpu=None is not a number"),
            ({"cpu": 1e400}, "cpu=inf is not a number"),
            ({"cpu": 1e30}, "cpu=1e+30 is more than any node has"),
            ({"memory": -5}, "memory=-5 is negative"),
            ({"memory": "-4GiB"}, "memory='-4GiB' cannot be parsed: write bytes, or a number and a unit such as '4GiB' or '500MB'"),
            ({"memory": "4 gigs"}, "memory='4 gigs' cannot be parsed"),
            ({"memory": ""}, "memory='' cannot be parsed"),
            ({"custom": ["tpu"]}, "custom=['tpu'] is not a dict of names and amounts"),
            ({"custom": {"tpu": -1}}, "custom['tpu']=-1 is negative"),
            ({"custom": {"tpu": "x"}}, "custom['tpu']='x' is not a number"),
            ({"custom": {"GPU": 1}}, "custom={'GPU': ...} is not the name of a custom resource"),
            ({"custom": {3: 1}}, "custom={3: ...} is not the name of a custom resource"),
            ({"worker": 2}, "'worker' is not a resource: did you mean 'workers'?"),
            ({"workers": 0}, "workers=0 is less than one"),
            ({"workers": -2}, "workers=-2 is less than one"),
            ({"workers": 2.5}, "workers=2.5 is not a whole number"),
            ({"workers": True}, "workers=True is not a whole number"),
            ({"workers": math.inf}, "workers=inf is not a whole number"),
            ({"workers": 10**9}, "workers=1000000000 is more than 100000, the most that a gang can have"),
            ({"nodes": 10**5000}, "nodes=10**5000 is more than 100000"),
            ({"workers": -(10**5000)}, "workers=-10**5000 is less than one"),
            ({"cpu": math.inf}, "cpu=inf is not a number"),
            ({"cpu": -math.inf}, "cpu=-inf is not a number"),
            ({"cpu": math.nan}, "cpu=nan is not a number"),
            ({"cpu": 1e300}, "cpu=1e+300 is more than any node has"),
            ({"cpu": 10**5000}, "cpu=10**5000 is more than any node has"),
            ({"cpu": 5e-324}, "cpu=5e-324 is less than 0.0001, the least that is counted"),
            ({"gpu": math.inf}, "gpu=inf is not a number"),
            ({"memory": math.inf}, "memory=inf is not a number"),
            ({"memory": 10**400}, "memory=10**400 is more than any node has"),
            ({"memory": "1" + 30 * "0" + "GB"}, "is more than any node has"),
            ({"memory": 400 * "9"}, "is more bytes than can be counted"),
            ({"memory": "1e30GB"}, "'1e30GB' cannot be parsed"),
            ({"memory": "inf"}, "'inf' cannot be parsed"),
            ({"custom": {"a": math.inf}}, "custom['a']=inf is not a number"),
            ({"custom": {"a": 1e-300}}, "custom['a']=1e-300 is less than 0.0001"),
            ({"workers": 2, "strategy": "PAKC"}, "strategy='PAKC' does not exist: did you mean 'PACK'?"),
            ({"workers": 2, "strategy": "together"}, "there are PACK, SPREAD, STRICT_PACK, STRICT_SPREAD"),
            ({"strategy": "SPREAD"}, "strategy='SPREAD' is for a gang: say workers=, too"),
            ({"workers": 3, "nodes": 2}, "workers=3 do not divide into nodes=2"),
            ({"workers": 2, "nodes": 2, "strategy": "PACK"}, "it goes without strategy="),
            ({"labels": "a"}, "labels='a' is not a dict of names and values"),
            ({"labels": {"zone": 1}}, "labels={'zone': 1}: names and values are texts"),
        ],
    )  # fmt: skip
    def test_bad_input(self, arguments: dict[str, object], message: str) -> None:
        """What makes no sense is an error that names the argument and its value, and says what to write."""
        with pytest.raises(ResourcesError) as caught:
            Request.parse(arguments)
        assert message in str(caught.value)

    def test_gangs(self) -> None:
        """A gang has workers, laid out by a strategy or over a number of nodes; nodes alone are one worker each."""
        assert Request.parse({}).placement == Placement()
        assert Request.parse({"workers": 4}).placement == Placement(workers=4)
        assert Request.parse({"nodes": 2}).placement == Placement(workers=2, nodes=2)
        placement = Request.parse({"workers": 4, "strategy": "SPREAD", "labels": {"zone": "a"}}).placement
        assert placement == Placement((("zone", "a"),), 4, "SPREAD")
        assert str(placement) == "4 workers (SPREAD), label zone=a"

    @pytest.mark.parametrize(
        ("arguments", "resources"),
        [
            ({"cpu": 1e-4, "gpu": 1e-4}, Resources(1e-4, 1e-4)),
            ({"cpu": 1e18}, Resources(1e18)),
            ({"cpu": 0, "memory": 10**18}, Resources(0.0, memory=10**18)),
            ({"memory": "1000000000GB"}, Resources(memory=10**18)),
            ({"memory": 0.5}, Resources(memory=0)),
            ({"gpu": 1.0, "custom": {"tpu": 1e-4, "b": 0}}, Resources(1.0, 1.0, custom=(("b", 0.0), ("tpu", 1e-4)))),
        ],
    )
    def test_the_least_and_the_most(self, arguments: dict[str, object], resources: Resources) -> None:
        """The least and the largest amount can be asked for, and none of something; less is an error, but of memory."""
        assert Request.parse(arguments).resources == resources

    def test_the_smallest_gang(self) -> None:
        """A gang may be of one worker, on one node."""
        assert Request.parse({"workers": 1}).placement == Placement(workers=1)
        assert Request.parse({"nodes": 1}).placement == Placement(workers=1, nodes=1)

    @pytest.mark.parametrize(
        ("labels", "suits"),
        [
            ({"zone": "a", "disk": "ssd"}, True),
            ({"zone": "a", "disk": "ssd", "more": "x"}, True),
            ({"zone": "a"}, False),
            ({"zone": "a", "disk": "hdd"}, False),
            ({"zone": "ssd", "disk": "a"}, False),
            ({}, False),
        ],
    )
    def test_labels(self, labels: dict[str, str], suits: bool) -> None:
        """A node suits that has all labels that are asked for, with these values; without any every node does."""
        placement = Request.parse({"labels": {"zone": "a", "disk": "ssd"}}).placement
        assert placement.suits(labels) is suits
        assert Placement().suits(labels)

    @pytest.mark.parametrize(
        ("placement", "text"),
        [
            (Placement(), ""),
            (Placement(workers=1), "1 worker (PACK)"),
            (Placement(workers=4, strategy="SPREAD"), "4 workers (SPREAD)"),
            (Placement(workers=2, nodes=1), "2 workers (on 1 node)"),
            (Placement(workers=4, nodes=2), "4 workers (on 2 nodes)"),
            (Placement((("disk", "ssd"), ("zone", "a"))), "label disk=ssd, label zone=a"),
        ],
    )
    def test_placements_in_words(self, placement: Placement, text: str) -> None:
        """Where a trial may run reads as people say it."""
        assert str(placement) == text

    def test_the_largest_gang(self) -> None:
        """A gang may have as many workers as the error says."""
        assert Request.parse({"workers": 100_000}).placement.bundles == 100_000

    @pytest.mark.parametrize(
        ("gpu", "problem"),
        [(1.5, "gpu=1.5 is neither a part of one GPU nor a whole number of them"), (2.0, None), (1, None)],
    )
    def test_parts_of_gpus(self, gpu: float, problem: str | None) -> None:
        """A part of one GPU can be had, and whole ones, but nothing between."""
        if problem is None:
            assert Request.parse({"gpu": gpu}).resources.gpu == gpu
        else:
            with pytest.raises(ResourcesError, match=f"^{problem}$"):
                Request.parse({"gpu": gpu})

    def test_all_problems_at_once(self) -> None:
        """Everything that is wrong is told in one error."""
        with pytest.raises(ResourcesError) as caught:
            Request.parse({"cpus": 1, "gpu": -1, "memory": "x", "custom": {"a": -1}})
        assert len(str(caught.value).split("; ")) == 4


class TestSharedFixtures:
    @pytest.mark.parametrize("name", ["gpu", "workers", "strategy", "nodes"])
    def test_what_makes_no_sense(self, name: str) -> None:
        """What a single process without a GPU cannot use is refused by name."""
        with pytest.raises(ResourcesError, match=f"^{name}=1 is not for a shared fixture: "):
            shared_request({"cpu": 1, name: 1})

    def test_what_does(self) -> None:
        """Everything else is read as for a trial, and nothing is one CPU."""
        request = shared_request({"cpu": 2, "labels": {"zone": "a"}})
        assert request == Request(Resources(cpu=2), Placement((("zone", "a"),)))
        fixture = SharedFixture("data", "data", "conftest.py", "test_models.py::train")
        assert (fixture.resources, fixture.placement, fixture.needs) == (Resources(), Placement(), ())


class TestArithmetic:
    def test_parts_of_several(self) -> None:
        """Parts of CPUs, GPUs and custom resources are multiplied and added as they are, to a ten-thousandth."""
        half = Resources(0.5, 0.25, 3, (("tape", 0.5),))
        assert half.times(3) == Resources(1.5, 0.75, 9, (("tape", 1.5),))
        assert half.plus(Resources(0.25, custom=(("lens", 1.5),))) == Resources(
            0.75, 0.25, 3, (("lens", 1.5), ("tape", 0.5))
        )
        assert half.minus(Resources(0.25, custom=(("lens", 1.5), ("tape", 0.25)))) == Resources(
            0.25, 0.25, 3, (("lens", -1.5), ("tape", 0.25))
        )

    def test_how_often_without_it(self) -> None:
        """What a room has nothing of fits never, and what it has decides how often."""
        tape = Resources(cpu=1, custom=(("tape", 1.0),))
        assert tape.how_often(Resources(cpu=4)) == 0
        assert tape.how_often(Resources(cpu=4, custom=(("tape", 2.5),))) == 2
        assert not tape.fits(Resources(cpu=4))

    def test_fits(self) -> None:
        """A request fits where each of its resources does; what a node has besides does not matter."""
        room = Resources(2, 1, 100, (("tpu", 1.0),))
        assert Resources(2, 1, 100, (("tpu", 1.0),)).fits(room)
        for larger in (Resources(2.5), Resources(1, 1.5), Resources(1, 0, 101), Resources(1, custom=(("tpu", 2.0),))):
            assert not larger.fits(room)
        assert not Resources(1, custom=(("a100", 0.5),)).fits(room)

    def test_sum_and_difference(self) -> None:
        """What is added and taken away again leaves what there was, custom resources included."""
        room, request = Resources(4, 1, 100, (("tpu", 2.0),)), Resources(1, 0.1, 10, (("tpu", 0.5),))
        assert room.minus(request) == Resources(3, 0.9, 90, (("tpu", 1.5),))
        assert room.minus(request).plus(request) == room

    @given(st.lists(st.integers(1, 9999), min_size=1, max_size=30))
    def test_no_crumbs(self, parts: list[int]) -> None:
        """Ten-thousandths that are taken and given back in any number leave exactly what there was."""
        requests = [Resources(part / 10_000, part / 10_000) for part in parts]
        room = Resources(64, 8)
        for request in requests:
            room = room.minus(request)
        for request in reversed(requests):
            room = room.plus(request)
        assert room == Resources(64, 8)

    def test_as_dict(self) -> None:
        """As a dict it has what is not zero, custom resources under their own names."""
        assert Resources(0, 0.5, 7, (("tpu", 1.0),)).as_dict() == {"gpu": 0.5, "memory": 7.0, "tpu": 1.0}

    @pytest.mark.parametrize(
        ("resources", "text"),
        [
            (Resources(), "1 CPU"),
            (Resources(0.5, 2), "0.5 CPU, 2 GPU"),
            (Resources(1, 0, 3 * 2**29, (("tpu", 1.0),)), "1 CPU, 1.5 GiB memory, 1 tpu"),
            (Resources(0), "no resources"),
        ],
    )
    def test_as_text(self, resources: Resources, text: str) -> None:
        """As text it reads as one would say it."""
        assert str(resources) == text


@pytest.mark.parametrize(
    ("request_", "count"),
    [
        (Resources(cpu=float("inf")), 0),
        (Resources(cpu=1e-320), 10**9),
        (Resources(cpu=1, memory=10**400), 0),
        (Resources(cpu=1e308).times(100), 0),
        (Resources(cpu=2), 4),
    ],
)
def test_how_often_is_a_number(request_: Resources, count: int) -> None:
    """However large or small a request is, how often it fits is a whole number."""
    assert int(request_.how_often(Resources(cpu=8, memory=2**40))) == count
