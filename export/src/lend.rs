//! Weights lent to a recording: the network, the graph and the model to be written share one copy.

use std::sync::Arc;

use burn::backend::Flex;
use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::{AllocationProperty, Bytes, TensorData};

/// Moves the floats of a module to a device, without a copy where they are in main memory.
pub(crate) struct Lender {
    pub(crate) device: Device,
}

impl ModuleMapper for Lender {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let data = borrowed(&tensor).unwrap_or_else(|| shared(tensor.into_data()));
            let dtype = data.dtype();
            Tensor::from_data(data, (&self.device, dtype))
        })
    }
}

/// A tensor's own memory, as the CPU back end holds it, or `None` if it is elsewhere, or laid out
/// otherwise.
fn borrowed<const D: usize>(tensor: &Tensor<D>) -> Option<TensorData> {
    let primitive = tensor.clone().try_into_primitive::<Flex>().ok()?;
    let layout = primitive.layout();
    let elements = primitive.data_arc();
    let size = tensor.shape().num_elements() * primitive.dtype().size();
    if !primitive.is_contiguous() || layout.start_offset() != 0 || elements.len() != size {
        return None;
    }
    let elements = bytes::Bytes::from_owner(Elements(elements));
    let elements = Bytes::from_shared(elements, AllocationProperty::Native);
    Some(TensorData::from_bytes(
        elements,
        tensor.shape(),
        primitive.dtype(),
    ))
}

/// The same elements in memory that clones share: burn's recording keeps one of each.
fn shared(data: TensorData) -> TensorData {
    let (shape, dtype) = (data.shape().clone(), data.dtype());
    TensorData::from_bytes(data.into_bytes().shared(), shape, dtype)
}

/// A tensor's buffer, kept for as long as it is lent.
struct Elements(Arc<Bytes>);

impl AsRef<[u8]> for Elements {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_in_main_memory_is_lent_and_a_turned_one_is_not() {
        let device = Device::flex();
        let tensor = Tensor::<2>::from_data([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]], &device);
        let lent = borrowed(&tensor).unwrap();
        assert_eq!(lent, tensor.clone().into_data());
        let again = borrowed(&tensor).unwrap();
        assert_eq!(lent.bytes().as_ptr(), again.bytes().as_ptr());
        assert!(borrowed(&tensor.clone().transpose()).is_none());
        assert!(borrowed(&tensor.narrow(0, 0, 1)).is_none());
    }
}
