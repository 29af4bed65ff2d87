"""The tree against the vectors of RFC 6962 as Certificate Transparency publishes them, and against a naive model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.check import append, continues, includes, leaf_hash, root_of
from ledger.merkle import Node, consistency_ranges, grow, inclusion_ranges, nodes_of, range_hash
from tests.ledger.sealing import naive_path, naive_proof, naive_root

# The eight inputs of the reference implementation of Certificate Transparency, and the roots over the first one to eight.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (3, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
"""By leaf, counted from 1, and size."""
PROOFS: dict[tuple[int, int], list[str]] = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def of(leaves: list[bytes]):
    """The hash of any perfect subtree, from the leaves."""
    return lambda node: naive_root(leaves[node.first : node.after])


def path(ranges: list[tuple[int, int]], leaves: list[bytes]) -> list[bytes]:
    return [range_hash(first, after, of(leaves)) for first, after in ranges]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_known_roots(size: int):
    peaks: list[bytes] = []
    for count, leaf in enumerate(INPUTS[:size]):
        append(peaks, count, leaf_hash(leaf))
    assert root_of(peaks).hex() == ROOTS[size - 1] == naive_root(INPUTS[:size]).hex()


def test_the_root_of_nothing():
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("place", "known"), PATHS.items(), ids=str)
def test_the_known_paths(place: tuple[int, int], known: list[str]):
    leaf, size = place
    made = path(inclusion_ranges(leaf - 1, size), INPUTS[:size])
    assert [step.hex() for step in made] == known
    assert includes(bytes.fromhex(ROOTS[size - 1]), size, leaf - 1, leaf_hash(INPUTS[leaf - 1]), made)


@pytest.mark.parametrize(("sizes", "known"), PROOFS.items(), ids=str)
def test_the_known_proofs(sizes: tuple[int, int], known: list[str]):
    old, size = sizes
    made = path(consistency_ranges(old, size), INPUTS[:size])
    assert [step.hex() for step in made] == known
    assert continues(bytes.fromhex(ROOTS[old - 1]), old, bytes.fromhex(ROOTS[size - 1]), size, made)


SIZES = st.integers(1, 700)


@given(SIZES, st.data())
def test_proofs_are_those_of_the_model_and_prove_nothing_else(size: int, data):
    leaves = [str(number).encode() for number in range(size)]
    root, index, old = naive_root(leaves), data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    made = path(inclusion_ranges(index, size), leaves)
    assert made == naive_path(index, leaves)
    assert includes(root, size, index, leaf_hash(leaves[index]), made)
    other = data.draw(st.integers(0, size + 1).filter(lambda number: number != index))
    assert not includes(root, size, other, leaf_hash(leaves[index]), made)
    assert not includes(root, size, index, leaf_hash(b"forged"), made)
    assert not includes(root, size, index, leaf_hash(leaves[index]), [*made, root])

    made = path(consistency_ranges(old, size), leaves)
    assert made == naive_proof(old, leaves)
    before = naive_root(leaves[:old])
    assert continues(before, old, root, size, made)
    forged = naive_root([b"forged", *leaves[1:old]])
    assert not continues(forged, old, root, size, made)
    # The sizes are not the proof's to tell: they stand in the signed text of the seals.
    assert not continues(before, old, root, size, [*made, root])


@given(st.lists(st.integers(0, 900), min_size=1, max_size=5))
def test_growing_in_pieces_gives_one_tree_and_every_node_to_store(pieces: list[int]):
    peaks: list[bytes] = []
    stored: dict[Node, bytes] = {}
    size = 0
    for piece in pieces:
        stored.update(grow(peaks, size, [leaf_hash(str(number).encode()) for number in range(size, size + piece)]))
        size += piece
    leaves = [str(number).encode() for number in range(size)]
    assert root_of(peaks) == naive_root(leaves)
    assert [naive_root(leaves[node.first : node.after]) for node in nodes_of(0, size)] == peaks
    assert {node.place for node in stored} == set(range(size // 256))
    assert all(value == naive_root(leaves[node.first : node.after]) for node, value in stored.items())


def test_nodes_of_nodes_are_stored_too():
    peaks: list[bytes] = []
    stored = grow(peaks, 0, [bytes(32)] * (1 << 16))
    assert [node for node, _ in stored if node.height > 8] == [Node(16, 0)]
    assert len(stored) == 257
    assert peaks == [stored[-1][1]]


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_range_is_made_of_whole_subtrees_in_order(first: int, length: int):
    nodes = nodes_of(first, first + length)
    assert [leaf for node in nodes for leaf in (node.first, node.after)] == sorted(
        leaf for node in nodes for leaf in (node.first, node.after)
    )
    assert sum(node.after - node.first for node in nodes) == length
