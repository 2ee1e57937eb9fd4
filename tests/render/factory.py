"""Synthetic audits with real records, checks and policy: shapes of documents, no real numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np

from auditor.checks.base import Case
from auditor.document import Document, document
from auditor.policy import Before, Policy, judge, preset
from auditor.records import (
    Audit,
    Comparison,
    FileFailure,
    FileRecord,
    FloatArray,
    Histogram,
    LayerChange,
    LayerRecord,
    Measurement,
    ModelVersion,
    Phase,
    PickleGlobal,
    Reading,
    Settings,
    Skip,
    Trap,
    VersionId,
)

CREATED = datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC)
AUDITED = CREATED + timedelta(days=30)
RECOMMENDED = preset("recommended")
HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    '=HYPERLINK("http://evil.example","fc1")',
    "fc1\u202egnp.exe",
    "x" * 10_000,
    "{{ 7 * 7 }}\x00\u2028",
    "שכבה.weight",
)


def version(name: str = "digits", number: str = "4", source: str = "mlflow") -> ModelVersion:
    days = int(number) if number.isdecimal() else 0
    return ModelVersion(
        id=VersionId(source, name, number),
        created_at=CREATED + timedelta(days=days),
        uri=f"models:/{name}/{number}",
        location=f"runs/{number}",
        facts={"run_id": "0123456789abcdef"},
    )


def sample(alpha: float, m: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues of a lognormal body with a Pareto tail above 3, and of a random twin."""
    rng = np.random.default_rng(seed)
    tail = max(8, m // 4)
    body = np.minimum(np.exp(rng.normal(0.2, 0.7, m - tail)), 2.99)
    steps = (np.arange(tail) + 0.5) / tail
    values = np.concatenate([body, 3.0 * steps ** (-1 / (alpha - 1))])
    return values, 4.2 * rng.beta(1.5, 2.5, m)


def spectrum(values: FloatArray, twin: FloatArray) -> Histogram:
    """Both on 64 bins."""
    logs = np.log10(np.concatenate([values, twin]))
    edges = np.linspace(logs.min(), logs.max(), 65)
    shares = [np.histogram(np.log10(v), edges)[0] / len(values) for v in (values, twin)]
    density, shuffled = (tuple(float(f"{x:.5g}") for x in share) for share in shares)
    return Histogram(10.0 ** edges[0], 10.0 ** edges[-1], density, shuffled)


def metrics(alpha: float = 3.0, m: int = 256, **given: float) -> dict[str, float]:
    error = 0.1 * (alpha - 1)
    return {
        "norm": 4.1 * m,
        "log_norm": math.log10(4.1 * m),
        "spectral_norm": 60.0,
        "log_spectral_norm": math.log10(60.0),
        "lambda_max": 60.0,
        "stable_rank": 4.1 * m / 60,
        "matrix_rank": float(m),
        "rank_loss": 0.0,
        "sv_max": math.sqrt(60.0),
        "sv_min": 0.01234567,
        "entropy": 0.87654321,
        "dead_rows": 0.0,
        "dead_columns": 0.0,
        "constant": 0.0,
        "alpha": alpha,
        "alpha_lo": alpha - 1.96 * error,
        "alpha_hi": alpha + 1.96 * error,
        "D": 0.0312,
        "xmin": 3.0,
        "xmax": 60.0,
        "sigma": error,
        "num_pl_spikes": float(max(8, m // 4)),
        "alpha_weighted": alpha * math.log10(60.0),
        "alpha_hill": alpha + 0.1,
        "pl_pvalue": math.nan,
        "bulk_max": 4.2,
        "num_spikes": 21.0,
        "rand_distance": 0.21,
        "rand_distance_density": 0.4,
        "rand_deviation": 6.0,
        "num_traps": 0.0,
        "trap_strength": math.nan,
        "random_like": 0.0,
        **given,
    }


def layer(
    name: str,
    index: int = 0,
    *,
    alpha: float = 3.0,
    m: int = 256,
    traps: Sequence[Trap] = (),
    **given: float,
) -> LayerRecord:
    """A healthy layer of m eigenvalues unless told otherwise."""
    values, twin = sample(alpha, m, index)
    top = float(values.max())
    scale = {"lambda_max": top, "xmax": top, "log_spectral_norm": math.log10(top)}
    found = metrics(alpha, m, **(scale | given))
    if traps:
        found["num_traps"] = float(len(traps))
        found["trap_strength"] = max(trap.eigenvalue / trap.edge for trap in traps)
    drawn = spectrum(values, twin)
    reason = f"moderately, with α {alpha:.2f} and p 0.42"
    phase = Phase("heavy-tailed" if 1.0 < alpha < 6.0 else "bulk-decay", reason)
    measured = Measurement("success", 2 * m, m, m, found, tuple(traps), drawn, phase)
    return record(name, index, (2 * m, m), measured)


def small_layer(name: str, index: int = 0, evals: int = 6) -> LayerRecord:
    """A layer with too few eigenvalues for a fit: what needs one is undefined."""
    undefined = ("alpha", "alpha_lo", "alpha_hi", "D", "xmin", "xmax", "sigma", "num_pl_spikes")
    found = metrics(m=evals, **dict.fromkeys(undefined, math.nan))
    found |= dict.fromkeys(("alpha_weighted", "alpha_hill", "bulk_max", "random_like"), math.nan)
    phase = Phase("undetermined", f"{evals} eigenvalues, at least 50 are needed")
    measured = Measurement("too few eigenvalues", 64, evals, evals, found, phase=phase)
    return record(name, index, (64, evals), measured)


def record(name: str, index: int, shape: tuple[int, ...], measured: Measurement) -> LayerRecord:
    return LayerRecord(
        name=name,
        index=index,
        block=index,
        kind="dense",
        dtype="float32",
        shape=shape,
        digest=sha256(name.encode("utf-8", "surrogatepass")).hexdigest(),
        measured=measured,
    )


def compared(
    layers: Sequence[LayerRecord],
    before: Mapping[str, LayerRecord],
    baseline: ModelVersion,
    **given: object,
) -> Comparison:
    """Every layer against the one of `before`, else against itself."""
    changes = []
    for now in layers:
        old = before.get(now.name, now)
        moved = now.metrics["alpha"] - old.metrics["alpha"]
        scale = now.metrics["log_spectral_norm"] - old.metrics["log_spectral_norm"]
        distances = {
            "delta_W": 1.23,
            "relative": 0.214 if old is not now else 0.0,
            "cosine": 0.02,
            "esd_js": 0.3 if old is not now else 0.0,
            "d_alpha": moved,
            "d_alpha_error": 0.2,
            "d_log_spectral_norm": scale,
        }
        changes.append(LayerChange(now.name, old, distances))
    return Comparison(baseline, tuple(changes), **given)  # type: ignore[arg-type]


def audit(
    layers: Sequence[LayerRecord] = (),
    *,
    skipped: Sequence[Skip] = (),
    comparison: Comparison | None = None,
    before: Before | None = None,
    policy: Policy = RECOMMENDED,
    of: ModelVersion | None = None,
    reading: Reading | None = None,
) -> Audit:
    """An audit as the pipeline makes it, judged by the checks and policies that ship."""
    file = FileRecord("model.safetensors", 1_234_567, sha256(b"weights").hexdigest(), verified=True)
    reading = reading or Reading((file,), 1_234_567)
    of = of or version()
    who, day = of.id.series, AUDITED.date()
    case = Case(layers, skipped, reading, comparison)
    judged = judge(case, policy, before, model=who, as_of=day)
    return Audit(
        version=of,
        reading=reading,
        layers=tuple(layers),
        skipped=tuple(skipped),
        comparison=comparison,
        findings=judged.findings,
        gate=judged.gate,
        verdict=judged.verdict,
        reason=judged.reason,
        policy=policy.name,
        policy_hash=policy.hash(who, day),
        settings=Settings(),
        started_at=AUDITED,
        seconds=12.34,
    )


TRAP = Trap(eigenvalue=45.0, edge=4.2, entries=((3, 17, 8.25), (120, 5, -7.5)))
BIASES = tuple(Skip(f"fc{i}.bias", (512,), "vector") for i in (1, 2, 3))


def passing() -> Document:
    """Three healthy layers, no baseline, no finding."""
    return document(audit([layer(f"fc{i}.weight", i) for i in (1, 2, 3)], skipped=BIASES))


def reviewed(policy: Policy = RECOMMENDED) -> Document:
    """Against a baseline: one layer over-trained since, with traps; one finding fixed."""
    old = [layer(f"fc{i}.weight", i, alpha=3.1) for i in (1, 2, 3)]
    old[2] = layer("fc3.weight", 3, random_like=1.0)
    new = [
        layer("fc1.weight", 1, alpha=1.5, traps=(TRAP,), pl_pvalue=0.62),
        layer("fc2.weight", 2, alpha=3.1),
        layer("fc3.weight", 3, alpha=3.4),
        small_layer("head.weight", 4),
    ]
    comparison = compared(new, {item.name: item for item in old}, version(number="3"))
    earlier = version(number="3").id.series
    known = judge(Case(old), RECOMMENDED, model=earlier, as_of=CREATED.date()).findings
    before = Before(findings=known)
    return document(audit(new, skipped=BIASES, comparison=comparison, before=before, policy=policy))


def blocked() -> Document:
    """One layer truncated to rank 1, another with a non-finite neighbour."""
    healthy = [layer(f"fc{i}.weight", i) for i in (1, 2, 3)]
    broken = layer("fc2.weight", 2, matrix_rank=1.0, stable_rank=1.0)
    layers = [healthy[0], broken, healthy[2]]
    comparison = compared(layers, {"fc2.weight": healthy[1]}, version(number="3"))
    skipped = (*BIASES, Skip("norm.weight", (512,), "non-finite", non_finite=3))
    return document(audit(layers, skipped=skipped, comparison=comparison, before=Before()))


def incomplete() -> Document:
    """Nothing could be parsed, and a pickle asks for code."""
    failures = (
        FileFailure("pytorch_model.bin", "the archive ends in the middle of a record"),
        FileFailure("extra.pt", "it asks to import posix.system", dangerous=True),
    )
    names = (
        PickleGlobal("extra.pt", "posix.system", dangerous=True),
        PickleGlobal("extra.pt", "my.own.Module", dangerous=False),
    )
    reading = Reading((), 4096, failures, names)
    return document(audit(reading=reading, policy=preset("observe")))


def hostile(policy: Policy = RECOMMENDED) -> Document:
    """Every name a model, file or tensor has is chosen by an attacker."""
    layers = [layer(name, i, alpha=1.5) for i, name in enumerate(HOSTILE)]
    names = [PickleGlobal(name, name, dangerous=True) for name in HOSTILE]
    failures = [FileFailure(name, name) for name in HOSTILE]
    reading = Reading(
        tuple(
            FileRecord(name, 10, "0" * 64, verified=False)
            for name in HOSTILE
            if "\udc80" not in name
        ),
        10,
        tuple(failures),
        tuple(names),
    )
    of = version(HOSTILE[0] + HOSTILE[4], HOSTILE[1])
    skipped = [Skip(name + ".bias", (3,), name) for name in HOSTILE]
    baseline = version(HOSTILE[0], HOSTILE[3])
    comparison = compared(layers, {}, baseline, added=HOSTILE, removed=HOSTILE, note=HOSTILE[0])
    made = audit(
        layers, skipped=skipped, comparison=comparison, of=of, reading=reading, policy=policy
    )
    return document(made)


def large(blocks: int = 32) -> Document:
    """A 7B-like model: seven matrices a block, 224 in all, some with findings."""
    modules = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
               "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip
    layers: list[LayerRecord] = []
    before: dict[str, LayerRecord] = {}
    rng = np.random.default_rng(7)
    for block in range(blocks):
        for module in modules:
            name = f"model.layers.{block}.{module}.weight"
            alpha = float(3 + rng.normal(0, 0.3))
            old = layer(name, len(layers), alpha=alpha, m=4096)
            bad = module == "mlp.down_proj" and block >= blocks - 4
            traps = (TRAP,) if bad else ()
            new_alpha = 1.6 if bad else alpha + float(rng.normal(0, 0.02))
            new = layer(name, len(layers), alpha=new_alpha, m=4096, traps=traps)
            before[name] = old
            layers.append(replace(new, block=block))
    norms = [Skip(f"model.layers.{i}.input_layernorm.weight", (4096,), "vector") for i in range(65)]
    comparison = compared(layers, before, version("fraud-lm", "11"))
    return document(
        audit(
            layers,
            skipped=norms,
            comparison=comparison,
            before=Before(),
            of=version("fraud-lm", "12"),
        )
    )
