"""Rules of size, reach and naming over the whole tree. Exceptions are listed with a reason; an outdated entry fails."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.test_imports import MAY_IMPORT, ROOT

MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 400, 80, 10

LARGE_FUNCTIONS = {
    "models.corrections._correct": "a numba kernel: one loop over Gaussians, its arrays passed one by one",
    "models.splat.blend_backward._draw_backward": "a numba kernel: gradients beside the values that they belong to",
    "realtime.room.scene._place": "a numba kernel: the fields of two sets of Gaussians",
}
"""At most five functions over the limits."""

ENTRIES = ("server.cli", "server.commands.", "realtime.room.preload", "realtime.room.warm")
"""Where a user comes in: the command line, whose verb `serve` starts the endpoints; and what a room's process begins with, which
loads modules by name."""
SCRIPTS = {
    "models.heads.bake": "python -m: makes the head asset that ships",
    "models.tracking.parsing_bake": "python -m: makes the parsing asset that ships",
    "models.perceptual.efficientnet_bake": "python -m: makes the asset of the perceptual loss that ships",
    "models.tracking.tracker_bias_bake": "python -m: makes the tracker's asset that ships",
    "enrollment.instant.depths_bake": "python -m: makes the depths asset that ships",
    "enrollment.portrait.turned_bias_bake": "python -m: makes the asset of the error on turned faces that ships",
    "server.call.generate_protocol": "python -m: writes the page's protocol types",
}
"""Modules that no verb reaches, run by a developer."""

GENERATED = ("server/store/migrations",)
"""Folders whose modules Alembic runs by file; it also writes them."""

SHARED_NAMES = {
    "Job": "an enrollment in the queue (server.store.tables), a picture to draw (realtime.room.picture_schedule)",
    "Join": "the page's to a room (server.call.protocol), the server's to the room's process (realtime.room.messages)",
}
"""Public classes of one name in two modules, with a reason."""

COVERED_BY: dict[str, str] = {
    "tests/server/api/test_allowances.py": "server.accounts.limits",
    "tests/server/api/test_rooms.py": "server.api.directory",
    "tests/server/api/test_rights.py": "server.api.paging",
    "tests/server/call/test_visitors.py": "server.call.live_rooms",
    "tests/realtime/room/test_cuda_renderer.py": "realtime.room.cpu_renderer realtime.room.renderer",
    "tests/realtime/room/test_worker.py": "realtime.room.person realtime.room.roster realtime.timing",
    "tests/realtime/room/test_preload.py": "realtime.room.warm",
    "tests/realtime/room/test_process.py": "realtime.room.tracking",
    "tests/server/call/test_landmark_input.py": "server.call.arrivals",
    "tests/realtime/test_listening.py": "server.commands.listen",
    "tests/client_web/test_protocol_in_sync.py": "server.call.generate_protocol",
    "tests/e2e/test_live.py": "server.benchmarks.browser",
    "tests/enrollment/high/test_synthesize.py": "enrollment.high.conditions",
    "tests/enrollment/instant/test_depths.py": "enrollment.instant.depths_bake",
    "tests/enrollment/photo/test_photo_kinds.py": "enrollment.photo.deep_tiff",
    "tests/enrollment/photo/test_reader.py": "enrollment.photo.pixels",
    "tests/enrollment/portrait/test_turned_bias.py": "enrollment.portrait.turned_bias_bake",
    "tests/enrollment/portrait/test_upright.py": "models.tracking.face_geometry",
    "tests/enrollment/prior_training/test_loop.py": (
        "enrollment.prior_training.checkpoint enrollment.prior_training.curves enrollment.prior_training.sheet "
        "enrollment.prior_training.train_prior"
    ),
    "tests/enrollment/prior_training/test_loop_parts.py": (
        "enrollment.prior_training.augment enrollment.prior_training.figures enrollment.prior_training.losses"
    ),
    "tests/enrollment/prior_training/test_training_pairs.py": (
        "enrollment.prior_training.face_crops enrollment.prior_training.pair_cache enrollment.prior_training.virtual_photo"
    ),
    "tests/enrollment/reconstruction/test_capture.py": (
        "enrollment.reconstruction.capture_folder enrollment.reconstruction.frame_fit"
    ),
    "tests/enrollment/reconstruction/test_parts.py": (
        "enrollment.reconstruction.adam enrollment.reconstruction.checkpoint enrollment.reconstruction.config "
        "enrollment.reconstruction.losses enrollment.reconstruction.posing enrollment.reconstruction.scene "
        "enrollment.reconstruction.splats"
    ),
    "tests/enrollment/reconstruction/test_photometric_warp.py": "enrollment.reconstruction.targets",
    "tests/enrollment/test_to_file.py": "enrollment.options",
    "tests/enrollment/test_workflow.py": "models.progress",
    "tests/models/diffusion/test_export.py": "models.engines.export server.benchmarks.engines",
    "tests/models/diffusion/test_precision.py": "models.diffusion.batch",
    "tests/models/diffusion/test_prior.py": (
        "models.diffusion.attention models.diffusion.conditions models.diffusion.denoiser models.diffusion.reference "
        "models.diffusion.schedule models.diffusion.space models.diffusion.temporal"
    ),
    "tests/models/engines/test_choose.py": "models.engines.switching",
    "tests/models/engines/test_onnx_runtime.py": "models.engines.base",
    "tests/models/engines/test_tensorrt.py": "models.engines.half models.engines.plans",
    "tests/models/exchange/test_lam.py": "models.exchange.glb",
    "tests/models/exchange/test_runs.py": "models.exchange.ours models.exchange.reading",
    "tests/models/heads/test_anny.py": "models.heads.bake",
    "tests/models/heads/test_asset.py": "models.heads.registry",
    "tests/models/heads/test_flame.py": "models.heads.transfer",
    "tests/models/nets/test_nets.py": "models.nets.bake models.nets.coin models.nets.dynamics models.nets.remesh",
    "tests/models/nets/test_uv_layout.py": "models.nets.deformation",
    "tests/models/perceptual/test_efficientnet.py": "models.perceptual.efficientnet_bake",
    "tests/models/splat/test_blend.py": "models.splat.block",
    "tests/models/splat/test_cpu.py": (
        "models.splat.binning models.splat.blend_features models.splat.lanes models.splat.rows models.splat.workers "
        "models.splat.workspace"
    ),
    "tests/models/splat/test_cuda.py": "models.splat.autograd_cuda models.splat.base",
    "tests/models/splat/test_gradients.py": (
        "models.splat.autograd models.splat.blend_backward models.splat.blend_rgb_backward models.splat.block_backward "
        "models.splat.normals models.splat.project models.splat.project_backward models.splat.reference server.benchmarks.splat"
    ),
    "tests/models/splat/test_parity.py": "models.splat.jit models.splat.oracle",
    "tests/models/synthetic/test_export.py": "models.synthetic.poses",
    "tests/models/synthetic/test_hair_styles.py": "models.synthetic.hair_growth models.synthetic.strands",
    "tests/models/synthetic/test_head.py": (
        "models.synthetic.background models.synthetic.cameras models.synthetic.identity models.synthetic.lighting "
        "models.synthetic.materials models.synthetic.noise models.synthetic.rasterization models.synthetic.shading"
    ),
    "tests/models/synthetic/test_traits.py": (
        "models.synthetic.anatomy models.synthetic.clothing models.synthetic.facial_hair models.synthetic.skin"
    ),
    "tests/models/test_atomic.py": "models.errors",
    "tests/models/test_avatar_file.py": "models.tensor_file",
    "tests/models/test_renderer.py": "server.benchmarks.avatar",
    "tests/models/tracking/test_face_tracker.py": "models.tracking.synthetic_landmarks",
    "tests/models/tracking/test_parsing.py": "models.tracking.parsing_bake",
    "tests/models/tracking/test_offline.py": "models.tracking.render_bias",
    "tests/models/tracking/test_solver.py": "models.tracking.face_basis models.tracking.tracker_bias_bake",
    "tests/models/video/test_writer.py": "models.video.sound",
    "tests/client_web/test_drive_wire.py": "server.call.drive_format",
    "tests/packaging/test_wheel.py": "server.call.page_folder",
    "tests/server/benchmarks/test_live.py": "server.benchmarks.enrolling server.benchmarks.pages server.benchmarks.webcam_clip",
    "tests/server/benchmarks/test_measuring_page.py": "server.benchmarks.recorded_webcam",
    "tests/server/call/attacks/test_viewers.py": "server.call_client",
    "tests/server/call_check/test_run.py": (
        "server.call_check.findings server.call_check.media server.call_check.relays server.call_check.web "
        "server.commands.doctor_call"
    ),
    "tests/server/call/test_aiortc_fixes.py": "server.call.ice",
    "tests/server/call/test_config.py": "server.call.ice_settings",
    "tests/server/call/test_app.py": "server.call.addresses server.call.web",
    "tests/server/call/test_avatar_kept.py": "server.call.avatars",
    "tests/server/call/test_better_avatar.py": "server.call.shown_avatars",
    "tests/server/call/test_call.py": "server.call.greeting server.call.room server.call.wire",
    "tests/server/call/test_whip.py": "server.call.admission server.call.http_peer server.call.http_session",
    "tests/server/call/test_signalling.py": "server.call.actions server.call.members server.call.rules",
    "tests/server/commands/test_enroll.py": "enrollment.reconstruction.config_file models.dataclass_config",
    "tests/server/jobs/test_runner.py": "server.jobs.inputs",
    "tests/server/evaluation/test_ablation.py": (
        "server.evaluation.ablation.instant server.evaluation.ablation.rows server.evaluation.ablation.scoring "
        "server.evaluation.ablation.spoiling server.evaluation.ablation.truth server.evaluation.ablation.uv"
    ),
    "tests/server/evaluation/test_prior.py": "server.evaluation.outlines",
    "tests/server/api/test_avatars.py": "server.api.service",
    "tests/server/api/test_people.py": "server.api.erasing",
    "tests/server/operations/test_draining.py": "server.operations.operations",
    "tests/server/commands/test_admin.py": "server.commands.admin_store",
    "tests/server/store/test_database.py": "server.store.tables",
    "tests/server/test_service.py": "server.call.stored_avatars",
    "tests/server/test_cli.py": (
        "server.commands.bench server.commands.doctor server.commands.import_ server.commands.view server.console server.machine"
    ),
}
"""Modules without a test file of their own: the test file that covers them, and modules of the mirrored folder. The reason is the
same for all: too small, or a step of something that is tested as a whole."""


class Module(NamedTuple):
    name: str
    path: Path
    tree: ast.Module
    lines: int


@cache
def modules() -> dict[str, Module]:
    """All modules of the four parts by dotted name; a package has the name of its folder."""
    out = {}
    for part in MAY_IMPORT:
        for path in sorted((ROOT / part).rglob("*.py")):
            if str(path.relative_to(ROOT)).startswith(GENERATED):
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            source = path.read_text(encoding="utf-8")
            out[name] = Module(name, path, ast.parse(source), source.count("\n"))
    return out


@cache
def imports() -> dict[str, set[str]]:
    """The modules of ours that each module imports, wherever in it."""
    known = modules()
    out: dict[str, set[str]] = {}
    for name, module in known.items():
        found = set()
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        out[name] = {m for m in found if m in known and m != name and not is_package(m)}
    return out


@cache
def reached_by_users() -> set[str]:
    return reached(imports(), [name for name in modules() if name.startswith(ENTRIES)])


def is_package(name: str) -> bool:
    return modules()[name].path.name == "__init__.py"


def functions(module: Module) -> Iterator[tuple[str, int, int]]:
    """Qualified name, lines and parameters (without self) of every function, nested ones as well."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                a = child.args
                names = [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
                names = names[1:] if names[:1] in (["self"], ["cls"]) else names
                yield f"{prefix}.{child.name}", (child.end_lineno or 0) - child.lineno + 1, len(names)
            named = isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(child, f"{prefix}.{child.name}" if named else prefix)  # type: ignore[attr-defined]

    return walk(module.tree, module.name)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    out: list[list[str]] = []

    def visit(v: str) -> None:
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in graph[v]:
            if w not in index:
                visit(w)
            if w in stack:
                low[v] = min(low[v], low[w])
        if low[v] == index[v]:
            at = stack.index(v)
            if len(stack) - at > 1:
                out.append(sorted(stack[at:]))
            del stack[at:]

    for v in graph:
        if v not in index:
            visit(v)
    return out


def reached(graph: dict[str, set[str]], start: list[str]) -> set[str]:
    out, left = set(start), list(start)
    while left:
        new = graph[left.pop()] - out
        out |= new
        left += new
    return out


def test_no_file_is_too_long() -> None:
    lines = {str(m.path.relative_to(ROOT)): m.lines for m in modules().values()}
    lines |= {str(p.relative_to(ROOT)): p.read_bytes().count(b"\n") for p in (ROOT / "tests").rglob("*.py")}
    assert {path for path, n in lines.items() if n > MOST_LINES} == set()


def test_no_function_is_too_large() -> None:
    large = {
        name: (lines, parameters)
        for module in modules().values()
        for name, lines, parameters in functions(module)
        if lines > MOST_FUNCTION_LINES or parameters > MOST_PARAMETERS
    }
    assert set(large) == set(LARGE_FUNCTIONS), large
    assert len(LARGE_FUNCTIONS) <= 5


def test_no_modules_import_each_other() -> None:
    assert cycles(imports()) == []


def test_every_module_is_reached_by_a_verb_or_an_endpoint() -> None:
    missing = {name for name in modules() if not is_package(name)} - reached_by_users()
    scripts = {name for name in missing if "__main__" in modules()[name].path.read_text(encoding="utf-8")}
    assert missing - scripts - reached(imports(), list(SCRIPTS)) == set()
    assert scripts == set(SCRIPTS)


def test_every_module_has_a_test_file() -> None:
    """tests/<folder>/test_<name>.py, or an entry in `COVERED_BY`."""
    listed = {}
    for covering, names in COVERED_BY.items():
        assert (ROOT / covering).exists(), covering
        for name in names.split():
            assert name in modules() and name not in listed, f"{covering}: {name}"
            listed[name] = covering
    own = {
        name: (ROOT / "tests" / module.path.relative_to(ROOT)).with_name(f"test_{module.path.name}").exists()
        for name, module in modules().items()
        if not is_package(name)
    }
    assert sorted(name for name, there in own.items() if not there and name not in listed) == []
    assert sorted(name for name in listed if own[name]) == []


def test_public_classes_have_names_of_their_own() -> None:
    places = defaultdict(list)
    for module in modules().values():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module.name)
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in SHARED_NAMES} == {}
    assert all(len(places[name]) > 1 for name in SHARED_NAMES)


def test_the_rules_find_what_breaks_them() -> None:
    source = "class A:\n    def f(self, a, *, b):\n        def g(c): pass\n"
    found = list(functions(Module("m", Path("m.py"), ast.parse(source), 3)))
    assert found == [("m.A.f", 2, 2), ("m.A.f.g", 1, 1)]
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]
    assert reached({"a": {"b"}, "b": set(), "c": {"b"}}, ["a"]) == {"a", "b"}
