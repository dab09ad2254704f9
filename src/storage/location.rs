//! The place of a checkpoint as graph files and the command line write it.

use std::env;
use std::path::{MAIN_SEPARATOR, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;
use watershed_core::checkpoint::{CheckpointStorage, LocalDirectory};

use super::object::ObjectStorage;
use super::words::to_io;

/// Why a location is not that of a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// There is no name.
    #[error("the checkpoint has no name: name a directory such as `checkpoints/visits`")]
    Empty,
    /// It is a URL of a kind that no store has.
    #[error(
        "checkpoint `{location}`: `{scheme}://` is not known; known are {}, and directories without `://`",
        known_schemes()
    )]
    Scheme {
        /// The location.
        location: String,
        /// Its scheme.
        scheme: String,
    },
    /// The cloud is left out of this build.
    #[error("checkpoint `{location}`: this build has no {cloud}; build with `--features {feature}`")]
    Feature {
        /// The location.
        location: String,
        /// The cloud.
        cloud: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// It cannot be read as a location.
    #[error("checkpoint `{location}`: {cause}")]
    Malformed {
        /// The location.
        location: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The settings in the environment do not make a store.
    #[error("checkpoint `{location}`: the settings in the environment do not fit: {cause}")]
    Settings {
        /// The location.
        location: String,
        /// What the store said.
        cause: String,
    },
    /// The thread that talks to the store could not be started.
    #[error("checkpoint `{location}`: no thread can be started: {cause}")]
    Thread {
        /// The location.
        location: String,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// A cloud whose stores can be named.
struct Cloud {
    name: &'static str,
    feature: &'static str,
    built: bool,
    schemes: &'static [&'static str],
    /// What the names of its settings in the environment begin with.
    settings: &'static str,
    /// Where a name before `@` is part of the location.
    account_after_container: bool,
}

const CLOUDS: [Cloud; 3] = [
    Cloud {
        name: "S3",
        feature: "aws",
        built: cfg!(feature = "aws"),
        schemes: &["s3", "s3a"],
        settings: "AWS_",
        account_after_container: false,
    },
    Cloud {
        name: "Google Cloud Storage",
        feature: "gcp",
        built: cfg!(feature = "gcp"),
        schemes: &["gs"],
        settings: "GOOGLE_",
        account_after_container: false,
    },
    Cloud {
        name: "Azure Blob Storage",
        feature: "azure",
        built: cfg!(feature = "azure"),
        schemes: &["az", "azure", "abfs", "abfss", "adl"],
        settings: "AZURE_",
        account_after_container: true,
    },
];

fn known_schemes() -> String {
    let schemes = CLOUDS.iter().flat_map(|cloud| cloud.schemes);
    let schemes: Vec<String> = schemes.map(|scheme| format!("`{scheme}://`")).collect();
    format!("`file://`, {}", schemes.join(", "))
}

/// The checkpoint at a location: a directory (`checkpoints/visits`, `file:///var/lib/visits`) or a place in a store of objects
/// (`s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`). Nothing is read or made yet.
///
/// The stores take credentials, region and endpoint from the environment: the variables with `AWS_`, `GOOGLE_` or `AZURE_`
/// before their names. They need the features `aws`, `gcp` and `azure` of this crate.
pub fn open(location: &str) -> Result<Arc<dyn CheckpointStorage>, StorageError> {
    match location.split_once("://") {
        None if location.is_empty() => Err(StorageError::Empty),
        None => Ok(Arc::new(LocalDirectory::new(location))),
        Some(("file", path)) => Ok(Arc::new(LocalDirectory::new(directory(location, path)?))),
        Some((scheme, _)) => {
            let scheme = scheme.to_ascii_lowercase();
            match CLOUDS.iter().find(|cloud| cloud.schemes.contains(&&*scheme)) {
                Some(cloud) => open_cloud(location, cloud),
                None => Err(StorageError::Scheme { location: location.to_owned(), scheme }),
            }
        }
    }
}

/// The directory of a `file://` URL. What follows is a path as it stands: `%20` is not a blank.
fn directory(location: &str, path: &str) -> Result<PathBuf, StorageError> {
    if path.starts_with('/') || path.starts_with(MAIN_SEPARATOR) {
        return Ok(PathBuf::from(path));
    }
    let cause = "after `file://` stands a path from the root on, as in `file:///var/lib/visits`".to_owned();
    Err(StorageError::Malformed { location: location.to_owned(), cause })
}

fn open_cloud(location: &str, cloud: &Cloud) -> Result<Arc<dyn CheckpointStorage>, StorageError> {
    let malformed = |cause: String| StorageError::Malformed { location: location.to_owned(), cause };
    let url = Url::parse(location).map_err(|cause| malformed(cause.to_string()))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(malformed(format!("a bucket is missing: `{}://bucket/prefix`", url.scheme())));
    }
    if url.password().is_some() || (!url.username().is_empty() && !cloud.account_after_container) {
        // Not repeated: what is told lands in logs.
        let location = format!("{}://…", url.scheme());
        let cause = format!("credentials belong into the environment ({}…), not into a location", cloud.settings);
        return Err(StorageError::Malformed { location, cause });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(malformed("`?` and `#` have no meaning here; settings are read from the environment".to_owned()));
    }
    Path::from_url_path(url.path()).map_err(|cause| malformed(cause.to_string()))?;
    if !cloud.built {
        let location = location.to_owned();
        return Err(StorageError::Feature { location, cloud: cloud.name, feature: cloud.feature });
    }
    let opened = object_store::parse_url_opts(&url, settings(cloud.settings));
    let (store, prefix) = opened
        .map_err(|error| StorageError::Settings { location: location.to_owned(), cause: to_io(&error).to_string() })?;
    let store: Arc<dyn ObjectStore> = store.into();
    let opened = ObjectStorage::new(store, &prefix, location.trim_end_matches('/'));
    let storage = opened.map_err(|cause| StorageError::Thread { location: location.to_owned(), cause })?;
    Ok(Arc::new(storage))
}

/// The variables of the environment with these letters before their names. The others are not the store's: it would also take
/// a `REGION` or a `TOKEN` for its own.
fn settings(before: &str) -> impl Iterator<Item = (String, String)> {
    let texts = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(move |(name, _)| name.starts_with(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_directory() {
        for (location, directory) in [
            ("checkpoints/visits", "checkpoints/visits"),
            ("/var/lib/visits/", "/var/lib/visits"),
            ("a:b", "a:b"),
            ("s3:/a", "s3:/a"),
            ("file:///var/lib/visits", "/var/lib/visits"),
            ("file:///var/a%20b", "/var/a%20b"),
        ] {
            assert_eq!(open(location).expect(location).location(), directory);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_with_the_way_on() {
        for (location, words) in [
            ("", "the checkpoint has no name: name a directory such as `checkpoints/visits`"),
            (
                "ftp://host/visits",
                "checkpoint `ftp://host/visits`: `ftp://` is not known; known are `file://`, `s3://`, `s3a://`, `gs://`, \
                 `az://`, `azure://`, `abfs://`, `abfss://`, `adl://`, and directories without `://`",
            ),
            (
                "file://host/visits",
                "checkpoint `file://host/visits`: after `file://` stands a path from the root on, as in \
                 `file:///var/lib/visits`",
            ),
            ("s3://", "checkpoint `s3://`: a bucket is missing: `s3://bucket/prefix`"),
            ("gs:///visits", "checkpoint `gs:///visits`: a bucket is missing: `gs://bucket/prefix`"),
            (
                "s3://key:secret@bucket/visits",
                "checkpoint `s3://…`: credentials belong into the environment (AWS_…), not into a location",
            ),
            (
                "az://container:secret@account/visits",
                "checkpoint `az://…`: credentials belong into the environment (AZURE_…), not into a location",
            ),
            (
                "s3://bucket/visits?region=eu",
                "checkpoint `s3://bucket/visits?region=eu`: `?` and `#` have no meaning here; settings are read from the \
                 environment",
            ),
            ("s3://bucket/a//b", "checkpoint `s3://bucket/a//b`: Path \"/a//b\" contained empty path segment"),
        ] {
            assert_eq!(open(location).expect_err(location).to_string(), words);
        }
    }

    #[test]
    fn a_cloud_that_is_not_built_in_names_its_feature() {
        for (location, cloud, feature) in [
            ("s3://bucket/visits", "S3", "aws"),
            ("S3A://bucket/visits", "S3", "aws"),
            ("gs://bucket", "Google Cloud Storage", "gcp"),
            ("az://container/visits", "Azure Blob Storage", "azure"),
            ("abfss://container@account.dfs.core.windows.net/a", "Azure Blob Storage", "azure"),
        ] {
            let Err(error) = open(location) else { continue };
            if let StorageError::Feature { .. } = error {
                let words =
                    format!("checkpoint `{location}`: this build has no {cloud}; build with `--features {feature}`");
                assert_eq!(error.to_string(), words);
                assert!(CLOUDS.iter().any(|cloud| cloud.feature == feature && !cloud.built));
            } else {
                assert!(CLOUDS.iter().any(|cloud| cloud.feature == feature && cloud.built), "{error}");
            }
        }
    }
}
