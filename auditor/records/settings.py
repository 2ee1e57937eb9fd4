"""What an analysis depends on besides the weights."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything besides the weights that the numbers of an analysis depend on."""

    convention: str = "auditor"  # or "weightwatcher": the reference's numbers
    seed: int = 0  # of everything drawn at random
    precision: str = "float64"  # or "float32": of the Gram matrix and its eigenvalues

    # what a layer is
    layers: tuple[str, ...] = ()  # globs of tensor names, "!" leaves out; empty: all
    pool: bool = True  # False: every slice of a tensor is a layer of its own
    split_qkv: bool = False  # True: fused query, key and value are three layers

    # the power law
    fit: str = "PL"  # or "TPL": truncated, density ~ x**-α·exp(-Λx)
    min_evals: int = 8  # with fewer eigenvalues no power law is fitted
    min_tail: int = 8  # smallest tail the fit may choose
    xmax: float | str | None = None  # larger ones are left out; "force": end at the largest
    fix_fingers: str | None = None  # or "clip_xmax", "xmin_peak"
    bootstrap: int = 100  # refits behind α's interval; 0: no interval
    goodness_of_fit: bool = False  # p-values and likelihood ratios for every layer

    # further columns
    mp_fit: bool = True  # the Marchenko-Pastur bulk and its spikes
    randomize: bool = True  # the random twin and correlation traps
    detX: bool = False
    vectors: bool = False  # localisation and entropy of singular vectors
    cumulants: bool = False  # free cumulants and log capacities

    # comparing
    more_distances: bool = False  # CKA, subspaces, and the spectrum of the difference
