//! `dataset.json` of either version.

use std::path::Path;

use serde_json::{Map, Value};

use crate::data::DataError;

/// A label that `dataset.json` declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredLabel {
    /// Its name.
    pub name: String,
    /// Its values: one, or several for a region of nnU-Net v2.
    pub values: Vec<u16>,
}

/// One entry of a list of training cases; paths are relative to the dataset's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub name: Option<String>,
    pub images: Vec<String>,
    pub labels: String,
}

/// What a `dataset.json` says.
#[derive(Debug)]
pub(super) struct Description {
    /// It has `channel_names` and so is of nnU-Net v2.
    pub version_2: bool,
    pub channels: Vec<String>,
    pub labels: Vec<DeclaredLabel>,
    pub file_ending: Option<String>,
    pub training: Vec<Listed>,
    pub num_training: Option<usize>,
}

impl Description {
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, DataError> {
        let top: Map<String, Value> =
            serde_json::from_str(text).map_err(|source| DataError::Json {
                what: "dataset.json",
                path: path.to_path_buf(),
                source,
            })?;
        let reader = Reader { path };
        let version_2 = top.contains_key("channel_names");
        let channels = if version_2 {
            "channel_names"
        } else {
            "modality"
        };
        let file_ending = match top.get("file_ending") {
            None => None,
            Some(Value::String(ending)) if ending == ".nii.gz" || ending == ".nii" => {
                Some(ending.clone())
            }
            Some(other) => {
                return Err(reader.invalid("file_ending", other, ".nii.gz and .nii can be read"));
            }
        };
        Ok(Self {
            version_2,
            channels: reader.channels(channels, top.get(channels))?,
            labels: reader.labels(top.get("labels"))?,
            file_ending,
            training: reader.training(top.get("training"), top.get("dataset"))?,
            num_training: top
                .get("numTraining")
                .and_then(Value::as_u64)
                .and_then(|count| usize::try_from(count).ok()),
        })
    }
}

struct Reader<'a> {
    path: &'a Path,
}

impl Reader<'_> {
    fn invalid(&self, field: &str, found: impl ToString, expected: &str) -> DataError {
        let mut found = found.to_string();
        if found.len() > 80 {
            found = found.chars().take(77).chain("...".chars()).collect();
        }
        DataError::InvalidDataset {
            path: self.path.to_path_buf(),
            field: field.into(),
            found,
            expected: expected.into(),
        }
    }

    /// `{"0": "CT", "1": "PET"}`.
    fn channels(&self, field: &str, value: Option<&Value>) -> Result<Vec<String>, DataError> {
        let expected = "it must name the channels as {\"0\": \"CT\", \"1\": ...}";
        let Some(Value::Object(entries)) = value else {
            let found = value.map_or("missing".into(), Value::to_string);
            return Err(self.invalid(field, found, expected));
        };
        let named = |number: usize| entries.get(&number.to_string()).and_then(Value::as_str);
        let names: Vec<String> = (0..entries.len())
            .map_while(named)
            .map(str::to_owned)
            .collect();
        if names.is_empty() || names.len() != entries.len() {
            let found = Value::Object(entries.clone());
            return Err(self.invalid(field, found, expected));
        }
        Ok(names)
    }

    /// `{"0": "background", "1": "liver"}` or `{"background": 0, "liver": 1, "all": [1, 2]}`.
    fn labels(&self, value: Option<&Value>) -> Result<Vec<DeclaredLabel>, DataError> {
        let expected = "it must be {\"1\": \"name\"} or {\"name\": 1} with values from 0 to 65535";
        let Some(Value::Object(entries)) = value else {
            let found = value.map_or("missing".into(), Value::to_string);
            return Err(self.invalid("labels", found, expected));
        };
        let number = |value: &Value| value.as_u64().and_then(|value| u16::try_from(value).ok());
        let mut labels = Vec::new();
        for (key, value) in entries {
            let by_value = match value {
                Value::String(name) => key.parse().ok().map(|value| (name.clone(), vec![value])),
                Value::Array(values) => {
                    let values: Option<Vec<u16>> = values.iter().map(number).collect();
                    values.map(|values| (key.clone(), values))
                }
                value => number(value).map(|value| (key.clone(), vec![value])),
            };
            let (name, values) = by_value
                .ok_or_else(|| self.invalid(&format!("labels, entry '{key}',"), value, expected))?;
            labels.push(DeclaredLabel { name, values });
        }
        labels.sort_by(|a, b| a.values.cmp(&b.values));
        Ok(labels)
    }

    /// v1 and decathlon have a list, v2 may have a table.
    fn training(
        &self,
        list: Option<&Value>,
        table: Option<&Value>,
    ) -> Result<Vec<Listed>, DataError> {
        let mut cases = Vec::new();
        let entries = list.and_then(Value::as_array).into_iter().flatten();
        for (index, entry) in entries.enumerate() {
            let field = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(image), Some(labels)) = (field("image"), field("label")) else {
                let field = format!("training[{index}]");
                return Err(self.invalid(&field, entry, "it must have 'image' and 'label'"));
            };
            cases.push(Listed {
                name: None,
                images: vec![image],
                labels,
            });
        }
        for (name, entry) in table.and_then(Value::as_object).into_iter().flatten() {
            let images = entry
                .get("images")
                .and_then(Value::as_array)
                .and_then(|images| {
                    images
                        .iter()
                        .map(|image| image.as_str().map(str::to_owned))
                        .collect()
                });
            let labels = entry
                .get("label")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let (Some(images), Some(labels)) = (images, labels) else {
                let field = format!("dataset, entry '{name}',");
                return Err(self.invalid(&field, entry, "it must have 'images' and 'label'"));
            };
            cases.push(Listed {
                name: Some(name.clone()),
                images,
                labels,
            });
        }
        Ok(cases)
    }
}
