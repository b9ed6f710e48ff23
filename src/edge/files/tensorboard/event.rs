//! TensorBoard's events in the wire format of protocol buffers: the few messages and fields that are needed.
//!
//! Source: `event.proto` and `summary.proto` of TensorFlow, `plugin_data.proto` of TensorBoard's plugin for
//! hyperparameters. Field numbers are named where they are written.

use super::super::row::Cell;
use super::record;

const START_TAG: &str = "_hparams_/session_start_info";
const END_TAG: &str = "_hparams_/session_end_info";

/// An empty tensor of floats: for summaries that are nothing but their metadata.
const EMPTY_TENSOR: [u8; 6] = [0x08, 0x01, 0x12, 0x02, 0x12, 0x00];

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(field: u64, value: u64, out: &mut Vec<u8>) {
    varint(field << 3 | VARINT, out);
    varint(value, out);
}

fn double(field: u64, value: f64, out: &mut Vec<u8>) {
    varint(field << 3 | FIXED_64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn float(field: u64, value: f32, out: &mut Vec<u8>) {
    varint(field << 3 | FIXED_32, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(field: u64, value: &[u8], out: &mut Vec<u8>) {
    varint(field << 3 | BYTES, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// How a trial stands, to the plugin for hyperparameters.
#[derive(Clone, Copy, Debug)]
pub(super) enum SessionEnd {
    Success = 1,
    Failure = 2,
}

/// The scalars of one result, in one event.
#[derive(Debug, Default)]
pub(super) struct Scalars {
    summary: Vec<u8>,
    value: Vec<u8>,
}

impl Scalars {
    /// Adds one: `Summary.value` (1) with its `tag` (1) and `simple_value` (2), which has single precision.
    pub(super) fn add(&mut self, tag: &str, value: f64) {
        self.value.clear();
        bytes(1, tag.as_bytes(), &mut self.value);
        float(2, value as f32, &mut self.value);
        bytes(1, &self.value, &mut self.summary);
    }

    /// Writes the event, and is empty again.
    pub(super) fn write(&mut self, wall_time: f64, step: u64, out: &mut Vec<u8>) {
        self.value.clear();
        head(wall_time, step, &mut self.value);
        bytes(5, &self.summary, &mut self.value);
        record::write(&self.value, out);
        self.summary.clear();
    }
}

/// `Event.wall_time` (1) and `step` (2).
fn head(wall_time: f64, step: u64, out: &mut Vec<u8>) {
    double(1, wall_time, out);
    if step > 0 {
        number(2, step, out);
    }
}

fn write_event(wall_time: f64, step: u64, field: u64, content: &[u8], out: &mut Vec<u8>) {
    let mut event = Vec::new();
    head(wall_time, step, &mut event);
    bytes(field, content, &mut event);
    record::write(&event, out);
}

/// The first event of every file: `file_version` (3).
pub(super) fn write_version(wall_time: f64, out: &mut Vec<u8>) {
    write_event(wall_time, 0, 3, b"brain.Event:2", out);
}

/// `session_log` (7) with `status` START (1): whatever was written before for this step or a later one counts no more.
pub(super) fn write_restart(wall_time: f64, step: u64, out: &mut Vec<u8>) {
    let mut log = Vec::new();
    number(1, 1, &mut log);
    write_event(wall_time, step, 7, &log, out);
}

/// The trial's configuration: `session_start_info` (3) with `hparams` (1), `group_name` (4), `start_time_secs` (5).
pub(super) fn write_start<'a>(
    wall_time: f64,
    group: &str,
    hparams: impl Iterator<Item = (&'a str, Cell<'a>)>,
    out: &mut Vec<u8>,
) {
    let mut info = Vec::new();
    for (name, cell) in hparams {
        // A `google.protobuf.Value`: a number (2), a text (3) or a truth value (4).
        let (mut value, mut entry) = (Vec::new(), Vec::new());
        match cell {
            Cell::Float(number) => double(2, number, &mut value),
            Cell::Int(number) => double(2, number as f64, &mut value),
            Cell::Text(text) => bytes(3, text.as_bytes(), &mut value),
            Cell::Bool(truth) => number(4, u64::from(truth), &mut value),
        }
        bytes(1, name.as_bytes(), &mut entry);
        bytes(2, &value, &mut entry);
        bytes(1, &entry, &mut info);
    }
    bytes(4, group.as_bytes(), &mut info);
    double(5, wall_time, &mut info);
    write_hparams(wall_time, START_TAG, 3, &info, out);
}

/// How it ended: `session_end_info` (4) with `status` (1) and `end_time_secs` (2).
pub(super) fn write_end(wall_time: f64, end: SessionEnd, out: &mut Vec<u8>) {
    let mut info = Vec::new();
    number(1, end as u64, &mut info);
    double(2, wall_time, &mut info);
    write_hparams(wall_time, END_TAG, 4, &info, out);
}

/// A summary value (1) with `tag` (1), `tensor` (8) and `metadata` (9), whose `plugin_data` (1) has `plugin_name` (1) and
/// `content` (2).
fn write_hparams(wall_time: f64, tag: &str, field: u64, info: &[u8], out: &mut Vec<u8>) {
    let [mut content, mut plugin, mut metadata, mut value, mut summary] = [const { Vec::new() }; 5];
    bytes(field, info, &mut content);
    bytes(1, b"hparams", &mut plugin);
    bytes(2, &content, &mut plugin);
    bytes(1, &plugin, &mut metadata);
    bytes(1, tag.as_bytes(), &mut value);
    bytes(8, &EMPTY_TENSOR, &mut value);
    bytes(9, &metadata, &mut value);
    bytes(1, &value, &mut summary);
    write_event(wall_time, 0, 5, &summary, out);
}

/// What an event of an earlier session says, as far as it matters to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// A result of this step.
    Step(u64),
    /// What is of this step or a later one counts no more.
    Restart(u64),
    /// The trial's configuration.
    Start,
    /// The trial's end.
    End,
    /// Nothing.
    Other,
}

/// Reads one record; anything that isn't an event is nothing.
pub(super) fn read(record: &[u8]) -> Past {
    let (mut step, mut rest) = (0, record);
    let mut past = Past::Other;
    while let Some((field, content)) = take_field(&mut rest) {
        past = match (field, content) {
            (2, Content::Number(value)) => {
                step = value;
                continue;
            }
            (7, _) => Past::Restart(0),
            (5, Content::Bytes(summary)) if contains(summary, START_TAG) => Past::Start,
            (5, Content::Bytes(summary)) if contains(summary, END_TAG) => Past::End,
            (5, _) => Past::Step(0),
            _ => continue,
        };
    }
    match past {
        Past::Step(_) => Past::Step(step),
        Past::Restart(_) => Past::Restart(step),
        other => other,
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Content<'a>)> {
    let key = take_varint(rest)?;
    let content = match key & 7 {
        VARINT => Content::Number(take_varint(rest)?),
        BYTES => {
            let length = usize::try_from(take_varint(rest)?).ok()?;
            Content::Bytes(rest.split_off(..length)?)
        }
        FIXED_64 => rest.split_off(..8).map(|_| Content::Fixed)?,
        FIXED_32 => rest.split_off(..4).map(|_| Content::Fixed)?,
        _ => return None,
    };
    Some((key >> 3, content))
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
