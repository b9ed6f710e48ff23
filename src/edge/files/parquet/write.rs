//! From rows put aside to columns in row groups.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::super::disk;
use super::super::error::FileError;
use super::super::row::{write_json_float, write_plain};
use super::spill::{Kind, Owned, Rows, Spill};

/// A row group's rows, and its cells, at most: what is in memory at once.
const ROWS: usize = 1 << 16;
const CELLS: usize = 1 << 21;

/// Writes the rows to `path`, which appears when it is whole.
pub(super) fn write(spill: &Spill, path: &Path) -> std::result::Result<(), FileError> {
    let rows = spill.read()?;
    let mut failed = None;
    let written = disk::replace(path, |out| match write_to(out, spill, rows) {
        Ok(()) => Ok(()),
        Err(Failure::Parquet(source)) => {
            failed = Some(FileError::Parquet { path: path.to_owned(), source });
            Err(std::io::Error::other("it isn't whole"))
        }
        Err(Failure::Rows(error)) => {
            failed = Some(error);
            Err(std::io::Error::other("it isn't whole"))
        }
    });
    failed.map_or(written, Err)
}

enum Failure {
    Parquet(ParquetError),
    Rows(FileError),
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

fn write_to(out: &mut (dyn Write + Send), spill: &Spill, mut rows: Rows) -> std::result::Result<(), Failure> {
    let schema = Arc::new(schema(spill)?);
    let settings = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(settings))?;
    let most = (CELLS / spill.columns().len().max(1)).clamp(1, ROWS);
    let mut columns: Vec<Column> = spill.columns().map(|(_, kind)| Column::new(kind)).collect();
    let (mut row, mut count, mut over) = (Vec::new(), 0, false);
    while !over {
        match rows.next(&mut row).map_err(Failure::Rows)? {
            None => over = true,
            Some(()) => {
                for (place, cell) in row.drain(..) {
                    if let Some(column) = columns.get_mut(place) {
                        column.push(count, cell);
                    }
                }
                count += 1;
            }
        }
        if count == most || (over && count > 0) {
            let mut group = file.next_row_group()?;
            for column in &mut columns {
                column.levels.resize(count, 0);
                if let Some(mut writer) = group.next_column()? {
                    column.write(&mut writer)?;
                    writer.close()?;
                }
            }
            group.close()?;
            count = 0;
        }
    }
    file.close()?;
    Ok(())
}

fn schema(spill: &Spill) -> Result<Type> {
    let mut fields = Vec::new();
    for (name, kind) in spill.columns() {
        let physical = match kind {
            Kind::Int => Physical::INT64,
            Kind::Float => Physical::DOUBLE,
            Kind::Bool => Physical::BOOLEAN,
            Kind::Text => Physical::BYTE_ARRAY,
        };
        let mut field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        if kind == Kind::Text {
            field = field.with_converted_type(ConvertedType::UTF8).with_logical_type(Some(LogicalType::String));
        }
        fields.push(Arc::new(field.build()?));
    }
    Type::group_type_builder("results").with_fields(fields).build()
}

/// A row group's part of one column: the values that are there, and for each row whether one is.
struct Column {
    values: Values,
    levels: Vec<i16>,
}

enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<ByteArray>),
}

impl Column {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Int => Values::Int(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Text => Values::Text(Vec::new()),
        };
        Self { values, levels: Vec::new() }
    }

    /// Sets the cell of `row`. Its column's kind holds it: it was joined with all of its kinds.
    fn push(&mut self, row: usize, cell: Owned) {
        match (&mut self.values, cell) {
            (Values::Int(values), Owned::Int(value)) => values.push(value),
            (Values::Float(values), Owned::Float(value)) => values.push(value),
            (Values::Float(values), Owned::Int(value)) => values.push(value as f64),
            (Values::Bool(values), Owned::Bool(value)) => values.push(value),
            (Values::Text(values), cell) => values.push(text(cell).into()),
            (Values::Int(_) | Values::Float(_) | Values::Bool(_), _) => return,
        }
        self.levels.resize(row, 0);
        self.levels.push(1);
    }

    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<()> {
        match &mut self.values {
            Values::Int(values) => hand_over::<Int64Type>(values, &self.levels, writer)?,
            Values::Float(values) => hand_over::<DoubleType>(values, &self.levels, writer)?,
            Values::Bool(values) => hand_over::<BoolType>(values, &self.levels, writer)?,
            Values::Text(values) => hand_over::<ByteArrayType>(values, &self.levels, writer)?,
        }
        self.levels.clear();
        Ok(())
    }
}

fn hand_over<T: DataType>(
    values: &mut Vec<T::T>,
    levels: &[i16],
    writer: &mut SerializedColumnWriter<'_>,
) -> Result<()> {
    writer.typed::<T>().write_batch(values, Some(levels), None)?;
    values.clear();
    Ok(())
}

fn text(cell: Owned) -> Vec<u8> {
    let mut text = Vec::new();
    match cell {
        Owned::Text(text) => return text,
        Owned::Bool(value) => text.extend_from_slice(if value { b"True" } else { b"False" }),
        Owned::Int(value) => write_plain(&value, &mut text),
        Owned::Float(value) => write_json_float(value, &mut text),
    }
    text
}
