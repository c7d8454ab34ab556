from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec

from jssl import plan, train

TEXT = """HloModule jit_step

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  ROOT %sum = f32[] add(%a, %b)
}

%condition (p: (s32[], f32[256])) -> pred[] {
  %limit = s32[] constant(5)
  ROOT %less = pred[] compare(%i, %limit), direction=LT
}

%body (p: (s32[], f32[256])) -> (s32[], f32[256]) {
  %permute = f32[256]{0} collective-permute(%x), source_target_pairs={{0,1},{1,2},{2,3},{3,4},{4,5},{5,6},{6,7},{7,0}}, metadata={op_name="jit(step)/candidates/ppermute"}
}

ENTRY %main (p: f32[256]) -> f32[256] {
  %loop = (s32[], f32[256]) while(%start), condition=%condition, body=%body
  %one = bf16[64,3]{1,0} all-reduce(%g), replica_groups=[1,8]<=[8], to_apply=%add, metadata={op_name="jit(step)/transpose(jvp(Net))/dot_general"}
  %two = (f32[64]{0}, f32[64]{0}) all-reduce(%m, %v), replica_groups={{0,1,2,3,4,5,6,7}}, to_apply=%add, metadata={op_name="jit(step)/jvp(Net)/norm1/reduce_sum"}
  %three = f32[8,16]{1,0} all-gather(%w), replica_groups=[2,4]<=[8], dimensions={0}, metadata={op_name="jit(step)/jvp(Net)/dot_general"}
  %four = f32[2,16]{1,0} reduce-scatter(%u), replica_groups={{0,4},{1,5},{2,6},{3,7}}, dimensions={0}, to_apply=%add, metadata={op_name="jit(step)/transpose(jvp(Net))/dot_general"}
  %five = (f32[4]{0}, f32[16]{0}) all-gather-start(%e), replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_1'}, dimensions={0}
  %six = f32[16]{0} all-gather-done(%five)
  %eight = f32[16,4]{1,0} all-gather(%w), channel_id=3, replica_groups=mesh['axis_0'=4,'axis_1'=2], device_ids=([2,4]T(1,0)) {'axis_0'}, dimensions={0}, frontend_attributes={chain_id="1"}, metadata={op_name="jit(step)/jvp(Net)/dot_general"}
  %nine = f32[16,4]{1,0} all-gather(%w), channel_id=3, replica_groups=mesh['axis_0'=4,'axis_1'=2], device_ids=([2,4]T(1,0)) {'axis_0'}, dimensions={0}, frontend_attributes={chain_id="1"}, metadata={op_name="jit(step)/jvp(Net)/dot_general"}
  %ten = f32[64,128]{1,0} all-reduce(%constant_dynamic-update-slice_fusion.9), channel_id=1, replica_groups={{0,1,2,3,4,5,6,7}}, to_apply=%add
  %seven = s32[4,2]{1,0} all-to-all(%i), replica_groups=[4,2]<=[2,4]T(1,0), dimensions={0}
}
"""  # noqa: E501 - as XLA writes it


FOUND = plan.find_collectives(plan.Module(TEXT), {"data": 2, "fsdp": 4})


def test_what_xla_writes_is_read():
    assert [(x.kind, x.axes, x.group, x.bytes, x.times, x.purpose) for x in FOUND] == [
        ("all-reduce", "data, fsdp", 8, 384, 1, "gradients"),
        ("all-reduce", "data, fsdp", 8, 512, 1, "batch statistics"),
        ("all-gather", "fsdp", 4, 512, 1, "parameters"),
        ("reduce-scatter", "data", 2, 128, 1, "gradients"),
        ("all-gather", "fsdp", 4, 64, 1, "parameters"),
        ("all-gather", "fsdp", 4, 256, 1, "parameters"),
        ("all-reduce", "data, fsdp", 8, 32768, 1, "embeddings"),
        ("all-to-all", "data", 2, 32, 1, "other"),
        ("collective-permute", "data, fsdp", 8, 1024, 5, "embeddings"),
    ]


@pytest.mark.parametrize(
    ("kind", "rank", "origin", "purpose"),
    [
        ("all-reduce", 0, "jit(step)/jvp(tied_cross_entropy)/psum_invariant", "scalars"),
        ("all-reduce", 0, "jit(step)/transpose(jvp(temperature))/mul", "gradients"),
        ("collective-permute", 2, "jit(step)/jvp(jit(_roll_static))/concatenate", "rows"),
        ("collective-permute", 2, "jit(step)/jvp(Net)/concatenate", "other"),
    ],
)
def test_what_they_are_for(kind, rank, origin, purpose):
    found = plan.Collective(kind, "data", 8, 64, rank, 1, origin)
    assert found.purpose == purpose


def test_bytes_sent_are_those_of_rings():
    reduce, _, gather, scatter, *_, exchange, permute = FOUND
    assert permute.sent == 5 * 1024
    assert reduce.sent == 2 * 7 / 8 * 384
    assert gather.sent == 3 / 4 * 512
    assert scatter.sent == 128, "the result is a half: one other device gets what is not one's own"
    assert exchange.sent == 16


@pytest.mark.parametrize(("axis", "group"), [("data", 2), ("fsdp", 4), (("data", "fsdp"), 8)])
def test_axes_of_a_compiled_program(axis, group):
    mesh = train.device_mesh(fsdp=4)
    spec = PartitionSpec(("data", "fsdp"))

    @partial(jax.shard_map, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    def step(x):
        shares = jax.lax.all_gather(x, axis, tiled=True)
        return x + jax.lax.psum(jnp.sin(x), axis) + shares.sum()

    text = jax.jit(step).lower(jnp.zeros((64, 32))).compile().as_text()
    found = {x.kind: x for x in plan.find_collectives(plan.Module(text), dict(mesh.shape))}
    name = ", ".join(axis) if isinstance(axis, tuple) else axis
    reduce, gather = found["all-reduce"], found["all-gather"]
    assert (reduce.axes, reduce.group, reduce.bytes) == (name, group, 8 * 32 * 4)
    assert (gather.axes, gather.group, gather.bytes) == (name, group, group * 8 * 32 * 4)


def test_loops_count_as_often_as_they_run():
    mesh = train.device_mesh()
    spec = PartitionSpec(("data", "fsdp"))

    @partial(jax.shard_map, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    def step(x):
        def outer(x, _):
            x, _ = jax.lax.scan(lambda x, _: (jax.lax.psum(x, "data") / 2, None), x, length=3)
            return jnp.sin(x), None

        return jax.lax.scan(outer, x, length=5)[0]

    text = jax.jit(step).lower(jnp.zeros((64, 32))).compile().as_text()
    (found,) = plan.find_collectives(plan.Module(text), dict(mesh.shape))
    assert found.times == 15
