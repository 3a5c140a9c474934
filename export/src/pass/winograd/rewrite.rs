use super::weights::transformed;
use super::{AXIS, ORIGIN, TILE};
use crate::graph::{Attribute, Graph, Node, Patch, ValueId};
use crate::types::{Constant, Dtype};

/// Puts six smaller convolutions in the place of the one at `index`; `None`, with a graph that is to
/// be thrown away, if that is none that fits.
pub(super) fn rewrite(graph: &mut Graph, index: usize) -> Option<()> {
    let conv = graph.nodes()[index].clone();
    let (&x, &weight) = (conv.inputs.first()?, conv.inputs.get(1)?);
    let kernels = transformed(graph.constant(weight)?)?;
    let whole = graph.value(*conv.outputs.first()?).shape.clone();
    let mut at = Insertion {
        graph,
        patch: Patch::default(),
        index,
    };
    let planes = at.convolved(x, smaller(&conv)?, kernels, &whole)?;
    let last = at.in_order(planes, &whole)?;
    let Insertion {
        graph, mut patch, ..
    } = at;
    patch.replace(graph, index, last);
    patch.finish(graph);
    Some(())
}

/// The attributes of `conv` for a kernel of one plane.
fn smaller(conv: &Node) -> Option<Vec<(&'static str, Attribute)>> {
    let axes = conv.ints("pads")?.len() / 2;
    let mut attributes = conv.attributes.clone();
    for (name, attribute) in &mut attributes {
        let Attribute::Ints(values) = attribute else {
            continue;
        };
        match *name {
            "kernel_shape" => *values.first_mut()? = 1,
            "pads" => {
                *values.first_mut()? = 0;
                *values.get_mut(axes)? = 0;
            }
            _ => {}
        }
    }
    Some(attributes)
}

/// Nodes put before the one at `index`; all but kernels and indices is f32.
struct Insertion<'a> {
    graph: &'a mut Graph,
    patch: Patch,
    index: usize,
}

impl Insertion<'_> {
    /// Every fourth plane of the convolution's result, from planes 0, 1, 2 and 3 on.
    fn convolved(
        &mut self,
        x: ValueId,
        attributes: Vec<(&'static str, Attribute)>,
        kernels: [Constant; 6],
        whole: &[usize],
    ) -> Option<[ValueId; 4]> {
        let mut quarter = whole.to_vec();
        *quarter.get_mut(AXIS)? /= TILE;
        // The names of the paper: d is the input's tile, from the plane before the result's first.
        let [d0, d1, d2, d3, d4, d5] = self.tiles(x)?;
        let mut kernels = kernels
            .map(|kernel| self.graph.add_constant(kernel))
            .into_iter();
        let mut product = |at: &mut Self, x: ValueId| {
            let inputs = vec![x, kernels.next()?];
            Some(at.node("Conv", inputs, attributes.clone(), &quarter))
        };
        // One after another, so that few of them are alive together.
        let d2x4 = self.times(d2, 4.0);
        let d1x4 = self.times(d1, 4.0);
        let d2x5 = self.times(d2, 5.0);
        let d0x4 = self.times(d0, 4.0);
        let first = self.less(d0x4, d2x5);
        let first = self.plus(first, d4);
        let m0 = product(self, first)?;
        let even = self.less(d4, d2x4);
        let odd = self.less(d3, d1x4);
        let [sum, gap] = [self.plus(even, odd), self.less(even, odd)];
        let [m1, m2] = [product(self, sum)?, product(self, gap)?];
        let even = self.less(d4, d2);
        let odd = self.less(d3, d1);
        let odd = self.times(odd, 2.0);
        let [sum, gap] = [self.plus(even, odd), self.less(even, odd)];
        let [m3, m4] = [product(self, sum)?, product(self, gap)?];
        let d3x5 = self.times(d3, 5.0);
        let last = self.less(d1x4, d3x5);
        let last = self.plus(last, d5);
        let m5 = product(self, last)?;

        let [near, near_odd] = [self.plus(m1, m2), self.less(m1, m2)];
        let [far, far_odd] = [self.plus(m3, m4), self.less(m3, m4)];
        let y0 = self.plus(near, far);
        let y0 = self.plus(m0, y0);
        let twice = self.times(far_odd, 2.0);
        let y1 = self.plus(near_odd, twice);
        let fourfold = self.times(far, 4.0);
        let y2 = self.plus(near, fourfold);
        let eightfold = self.times(far_odd, 8.0);
        let y3 = self.plus(near_odd, eightfold);
        let y3 = self.plus(m5, y3);
        Some([y0, y1, y2, y3])
    }

    /// Of each tile of four planes, the one before it, its own and the one behind it: six tensors
    /// of a quarter of the planes. Beyond the ends are zeros.
    fn tiles(&mut self, x: ValueId) -> Option<[ValueId; 6]> {
        let planes = *self.graph.value(x).shape.get(AXIS)?;
        let count = planes / TILE;
        let [first, second, third, fourth] =
            [0, 1, 2, 3].map(|from| self.slice(x, from, planes, TILE));
        let before = self.slice(fourth?, 0, count - 1, 1)?;
        let before = self.pad(before, [1, 0])?;
        let behind = self.slice(first?, 1, count, 1)?;
        let behind = self.pad(behind, [0, 1])?;
        Some([before, first?, second?, third?, fourth?, behind])
    }

    /// The node that puts planes in their order: plane 4 k + p is the k-th of those from p on.
    ///
    /// With channels last, planes are whole blocks of memory, which is how OpenVINO keeps them: the
    /// outer transpositions cost nothing there.
    fn in_order(&mut self, planes: [ValueId; 4], whole: &[usize]) -> Option<Node> {
        let rank = whole.len() as i64;
        let axis = vec![("axis", Attribute::Int(AXIS as i64))];
        let stacked = self.node("Concat", planes.to_vec(), axis, whole);
        let to_last: Vec<i64> = [0].into_iter().chain(2..rank).chain([1]).collect();
        let (&[batch, channels, count], inner) = whole.split_first_chunk::<3>()?;
        let turned = [&[batch, count], inner, &[channels]].concat();
        let plane = inner.iter().product::<usize>() * channels;
        let perm = |order: Vec<i64>| vec![("perm", Attribute::Ints(order))];
        let x = self.node("Transpose", vec![stacked], perm(to_last), &turned);
        let x = self.reshape(x, &[batch, TILE, count / TILE, plane]);
        let x = self.node(
            "Transpose",
            vec![x],
            perm(vec![0, 2, 1, 3]),
            &[batch, count / TILE, TILE, plane],
        );
        let x = self.reshape(x, &turned);
        let back: Vec<i64> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
        Some(node("Transpose", vec![x], perm(back)))
    }

    fn slice(&mut self, x: ValueId, from: usize, to: usize, step: usize) -> Option<ValueId> {
        let mut shape = self.graph.value(x).shape.clone();
        *shape.get_mut(AXIS)? = (to - from).div_ceil(step);
        let at = [from, to, AXIS, step];
        let at = at.map(|at| self.graph.add_constant(Constant::i64s(&[at as i64])));
        let inputs = [x].into_iter().chain(at).collect();
        Some(self.node("Slice", inputs, Vec::new(), &shape))
    }

    /// Planes of zeros before the first and behind the last.
    fn pad(&mut self, x: ValueId, [before, behind]: [usize; 2]) -> Option<ValueId> {
        let mut shape = self.graph.value(x).shape.clone();
        let mut pads = vec![0; 2 * shape.len()];
        *pads.get_mut(AXIS)? = before as i64;
        *pads.get_mut(shape.len() + AXIS)? = behind as i64;
        *shape.get_mut(AXIS)? += before + behind;
        let pads = self.graph.add_constant(Constant::i64s(&pads));
        let mode = vec![("mode", Attribute::Text("constant"))];
        Some(self.node("Pad", vec![x, pads], mode, &shape))
    }

    fn reshape(&mut self, x: ValueId, shape: &[usize]) -> ValueId {
        let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        let sizes = self.graph.add_constant(Constant::i64s(&sizes));
        self.node("Reshape", vec![x, sizes], Vec::new(), shape)
    }

    fn times(&mut self, x: ValueId, factor: f64) -> ValueId {
        let factor = self
            .graph
            .add_constant(Constant::scalar(Dtype::F32, factor));
        self.elementwise("Mul", x, factor)
    }

    fn plus(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.elementwise("Add", a, b)
    }

    fn less(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.elementwise("Sub", a, b)
    }

    fn elementwise(&mut self, op: &'static str, a: ValueId, b: ValueId) -> ValueId {
        let shape = self.graph.value(a).shape.clone();
        self.node(op, vec![a, b], Vec::new(), &shape)
    }

    fn node(
        &mut self,
        op: &'static str,
        inputs: Vec<ValueId>,
        attributes: Vec<(&'static str, Attribute)>,
        shape: &[usize],
    ) -> ValueId {
        let node = node(op, inputs, attributes);
        self.patch
            .insert_new(self.graph, self.index, node, Dtype::F32, shape.to_vec())
    }
}

fn node(
    op: &'static str,
    inputs: Vec<ValueId>,
    attributes: Vec<(&'static str, Attribute)>,
) -> Node {
    Node {
        op,
        inputs,
        outputs: Vec::new(),
        attributes,
        origin: ORIGIN,
    }
}
