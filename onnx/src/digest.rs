//! The digest of a model's weights.
//!
//! It covers every tensor of the model (initialisers, sparse ones, attributes, subgraphs,
//! functions). Each tensor is one record; the records are sorted bytewise by place and, within a
//! place, kept in the order of the file, then fed to SHA-256:
//!
//! ```text
//! place   u64 length, UTF-8 bytes     as in graph/weight or graph/Constant "c"/value
//! dtype   u32                         ONNX's number of the element type
//! rank    u64, then one i64 an axis
//! payload u64 length, bytes           little-endian elements, packed; strings: u64 length + bytes
//! ```
//!
//! All numbers are little-endian. The digest does not depend on how a payload is stored (raw or in
//! a typed field), nor on the order of the initialisers.

use sha2::{Digest, Sha256};

use crate::{OnnxError, proto::ModelProto, walk::Sites};

/// SHA-256 of all weights, in lower-case hexadecimal.
///
/// Errors: [`OnnxError::Tensor`] for a tensor whose payload does not fit its shape, or is not in
/// the file.
pub fn weights_sha256(model: &ModelProto) -> Result<String, OnnxError> {
    let mut tensors = Sites::of(model)?.tensors;
    tensors.sort_by(|a, b| a.place.as_bytes().cmp(b.place.as_bytes()));
    let mut hasher = Sha256::new();
    for site in tensors {
        let payload = site.tensor.payload().map_err(|source| OnnxError::Tensor {
            place: site.place.clone(),
            source,
        })?;
        hasher.update((site.place.len() as u64).to_le_bytes());
        hasher.update(site.place.as_bytes());
        hasher.update(site.tensor.data_type.to_le_bytes());
        hasher.update((site.tensor.dims.len() as u64).to_le_bytes());
        for size in &site.tensor.dims {
            hasher.update(size.to_le_bytes());
        }
        hasher.update((payload.len() as u64).to_le_bytes());
        hasher.update(&payload);
    }
    Ok(hex(&hasher.finalize()))
}

/// Bytes, such as a digest's, as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proto::TensorProto, sample};

    #[test]
    fn the_digest_is_the_documented_one() {
        let mut model = sample::tiny_model();
        model.graph.as_mut().unwrap().initializer = vec![
            TensorProto::from_f32("b", &[1], &[1.0]),
            TensorProto::from_i64("a", &[], &[-2]),
        ];
        let mut record = Vec::new();
        for (place, dtype, dims, payload) in [
            ("graph/a", 7u32, &[][..], (-2i64).to_le_bytes().to_vec()),
            ("graph/b", 1, &[1i64][..], 1f32.to_le_bytes().to_vec()),
        ] {
            record.extend((place.len() as u64).to_le_bytes());
            record.extend(place.as_bytes());
            record.extend(dtype.to_le_bytes());
            record.extend((dims.len() as u64).to_le_bytes());
            record.extend(dims.iter().flat_map(|size| size.to_le_bytes()));
            record.extend((payload.len() as u64).to_le_bytes());
            record.extend(payload);
        }
        assert_eq!(
            weights_sha256(&model).unwrap(),
            hex(&Sha256::digest(&record))
        );
    }

    #[test]
    fn storage_and_order_do_not_matter_but_bits_names_and_shapes_do() {
        let model = sample::tiny_model();
        let digest = weights_sha256(&model).unwrap();
        let changed = |edit: &dyn Fn(&mut Vec<TensorProto>)| {
            let mut model = model.clone();
            edit(&mut model.graph.as_mut().unwrap().initializer);
            weights_sha256(&model).unwrap()
        };
        assert_eq!(digest, changed(&|tensors| tensors.reverse()));
        assert_eq!(
            digest,
            changed(&|tensors| {
                tensors[0].float_data = tensors[0].to_f32().unwrap();
                tensors[0].raw_data = Default::default();
            })
        );
        assert_ne!(digest, changed(&|tensors| tensors[0].name.push('x')));
        assert_ne!(digest, changed(&|tensors| tensors[0].dims.push(1)));
        assert_ne!(
            digest,
            changed(&|tensors| {
                let mut raw = tensors[0].raw_data.to_vec();
                raw[0] ^= 1;
                tensors[0].raw_data = raw.into();
            })
        );
    }
}
