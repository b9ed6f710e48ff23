//! An object store as threads use it: every call waits for its answer, and every error says what was tried, and on what.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::driver::{Answer, Driver};
use crate::edge::plain_file;
use crate::ports::store::{StoreError, Sum};

/// Files of more bytes than this travel in parts of that size; the stores ask for 5 MiB at least.
const PART: u64 = 8 << 20;
/// The stores take at most 10,000 parts.
const MOST_PARTS: u64 = 9_000;
/// So many parts of a file are under way at once.
const AT_ONCE: usize = 4;

type Asked<T> = Result<T, object_store::Error>;

/// The blocking side of an object store.
#[derive(Debug)]
pub(in crate::edge) struct Client {
    objects: Arc<dyn ObjectStore>,
    driver: Driver,
}

/// What became of `action` on `location`.
fn told<T>(action: &'static str, location: &Location, answer: io::Result<Asked<T>>) -> Result<T, StoreError> {
    let said = answer.and_then(|asked| {
        asked.map_err(|error| {
            let kind = match &error {
                object_store::Error::NotFound { .. } => ErrorKind::NotFound,
                object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                    ErrorKind::PermissionDenied
                }
                _ => ErrorKind::Other,
            };
            io::Error::new(kind, error)
        })
    });
    said.map_err(StoreError::io(action, PathBuf::from(location.as_ref())))
}

/// Whether this error says that there is no such object.
pub(in crate::edge) fn is_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

impl Client {
    pub(in crate::edge) fn start(objects: Arc<dyn ObjectStore>) -> io::Result<Self> {
        Ok(Self { objects, driver: Driver::start()? })
    }

    /// Does `work` with the store and waits for it.
    fn ask<T, F>(&self, work: impl FnOnce(Arc<dyn ObjectStore>) -> F) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.driver.begin(work(self.objects.clone())).wait()
    }

    /// Writes an object, all at once.
    pub(in crate::edge) fn put(&self, to: &Location, bytes: &[u8]) -> Result<Sum, StoreError> {
        let sum = Sum { bytes: bytes.len() as u64, crc32: crc32fast::hash(bytes) };
        let (location, payload) = (to.clone(), PutPayload::from(bytes.to_vec()));
        let answer = self.ask(|objects| async move { objects.put(&location, payload).await });
        told("write the object", to, answer).map(|_| sum)
    }

    /// Writes an object that isn't there yet. Answers whether it was written.
    pub(in crate::edge) fn create(&self, to: &Location, bytes: &[u8]) -> Result<bool, StoreError> {
        let (location, payload) = (to.clone(), PutPayload::from(bytes.to_vec()));
        let answer = self.ask(|objects| async move {
            match objects.put_opts(&location, payload, PutMode::Create.into()).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        });
        told("create the object", to, answer)
    }

    /// Whether there is such an object.
    pub(in crate::edge) fn exists(&self, at: &Location) -> Result<bool, StoreError> {
        let location = at.clone();
        let answer = self.ask(|objects| async move { objects.head(&location).await });
        match told("look at the object", at, answer) {
            Err(error) if is_missing(&error) => Ok(false),
            seen => seen.map(|_| true),
        }
    }

    /// Writes an object from a file, in parts if it is large: nobody sees it before it is whole.
    pub(in crate::edge) fn upload(&self, to: &Location, from: &std::path::Path) -> Result<Sum, StoreError> {
        let failed = || StoreError::io("read the file", from);
        let mut file = plain_file::read(from).map_err(failed())?;
        let bytes = file.metadata().map_err(failed())?.len();
        if bytes <= PART {
            let mut all = Vec::new();
            file.read_to_end(&mut all).map_err(failed())?;
            return self.put(to, &all);
        }
        let location = to.clone();
        let begun = self.ask(|objects| async move { objects.put_multipart(&location).await });
        let mut upload = told("write the object", to, begun)?;
        let parts = self.upload_parts(&mut *upload, to, &mut file, PART.max(bytes / MOST_PARTS));
        match parts {
            Ok(sum) => {
                let answer = self.driver.begin(async move { upload.complete().await }).wait();
                told("write the object", to, answer).map(|_| sum)
            }
            Err(error) => {
                // What can't be taken back is the store's own clean-up.
                let _ = self.driver.begin(async move { upload.abort().await }).wait();
                Err(error)
            }
        }
    }

    fn upload_parts(
        &self,
        upload: &mut dyn object_store::MultipartUpload,
        to: &Location,
        file: &mut File,
        part: u64,
    ) -> Result<Sum, StoreError> {
        let (mut sum, mut crc) = (Sum::default(), crc32fast::Hasher::new());
        let mut under_way: VecDeque<Answer<Asked<()>>> = VecDeque::new();
        loop {
            let mut bytes = Vec::new();
            let read = Read::by_ref(file).take(part).read_to_end(&mut bytes);
            read.map_err(StoreError::io("read the file for", PathBuf::from(to.as_ref())))?;
            if bytes.is_empty() {
                break;
            }
            crc.update(&bytes);
            sum.bytes += bytes.len() as u64;
            if under_way.len() == AT_ONCE
                && let Some(first) = under_way.pop_front()
            {
                told("write the object", to, first.wait())?;
            }
            under_way.push_back(self.driver.begin(upload.put_part(PutPayload::from(bytes))));
        }
        under_way.into_iter().try_for_each(|part| told("write the object", to, part.wait()))?;
        Ok(Sum { crc32: crc.finalize(), ..sum })
    }

    /// Reads a whole object, of whatever size.
    pub(in crate::edge) fn get(&self, from: &Location) -> Result<Vec<u8>, StoreError> {
        let location = from.clone();
        let answer = self.ask(|objects| async move { objects.get(&location).await?.bytes().await });
        told("read the object", from, answer).map(|bytes| bytes.to_vec())
    }

    /// Reads an object of `bytes` bytes into `to`, in parts if it is large. Answers what came.
    pub(in crate::edge) fn fetch(&self, from: &Location, bytes: u64, to: &mut dyn Write) -> Result<Sum, StoreError> {
        let (mut sum, mut crc) = (Sum::default(), crc32fast::Hasher::new());
        let mut take = |part: &[u8]| {
            crc.update(part);
            sum.bytes += part.len() as u64;
            to.write_all(part).map_err(StoreError::io("lay out the object", PathBuf::from(from.as_ref())))
        };
        if bytes <= PART {
            take(&self.get(from)?)?;
        } else {
            let mut starts = (0..bytes).step_by(PART as usize);
            let mut under_way = VecDeque::new();
            loop {
                under_way.extend(starts.by_ref().take(AT_ONCE - under_way.len()).map(|start| {
                    let (objects, location) = (self.objects.clone(), from.clone());
                    let range = start..bytes.min(start + PART);
                    self.driver.begin(async move { objects.get_range(&location, range).await })
                }));
                let Some(first) = under_way.pop_front() else { break };
                take(&told("read the object", from, first.wait())?)?;
            }
        }
        Ok(Sum { crc32: crc.finalize(), ..sum })
    }

    /// The names of the "directories" just below `prefix`.
    pub(in crate::edge) fn directories(&self, prefix: &Location) -> Result<Vec<Location>, StoreError> {
        let below = prefix.clone();
        let answer = self.ask(|objects| async move { objects.list_with_delimiter(Some(&below)).await });
        told("list the objects below", prefix, answer).map(|list| list.common_prefixes)
    }

    /// All objects below `prefix`.
    pub(in crate::edge) fn list(&self, prefix: &Location) -> Result<Vec<Location>, StoreError> {
        let below = prefix.clone();
        let answer = self.ask(|objects| async move {
            let all: Vec<Asked<_>> = objects.list(Some(&below)).collect().await;
            all.into_iter().map(|object| object.map(|object| object.location)).collect::<Asked<Vec<_>>>()
        });
        told("list the objects below", prefix, answer)
    }

    /// Deletes objects, many at a time where the store can. What isn't there is no error.
    pub(in crate::edge) fn delete(&self, all: Vec<Location>) -> Result<(), StoreError> {
        let Some(first) = all.first().cloned() else { return Ok(()) };
        let answer = self.ask(|objects| async move {
            let deleted: Vec<Asked<Location>> =
                objects.delete_stream(stream::iter(all.into_iter().map(Ok)).boxed()).collect().await;
            deleted.into_iter().find_map(|deleted| match deleted {
                Err(object_store::Error::NotFound { .. }) | Ok(_) => None,
                Err(error) => Some(error),
            })
        });
        told("delete the object", &first, answer.map(|failed| failed.map_or(Ok(()), Err)))
    }
}
