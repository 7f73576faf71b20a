//! A file of Parquet: rows come in, columns go out, a row group at a time.
//!
//! **Invariant:** memory grows with the longest row, not with the number of rows, except for some
//! hundred bytes per column of each row group, which stand at the end of the file.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};

use crate::output::{Finished, Output};

/// How many rows a row group gets at most.
const GROUP_ROWS: usize = 1 << 16;

/// How many bytes of values a row group gets, but for the last row.
const GROUP_BYTES: usize = 16 << 20;

/// The last moment that every engine has a timestamp for, the end of the year 9999, in milliseconds
/// since 1970.
const LAST_MS: u64 = 253_402_300_799_999;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text of which there are as many as rows: keys, messages.
    Text,
    /// Text that many rows share: kinds, names.
    Name,
    /// JSON as text.
    Json,
    /// A number up to 2^64-1.
    Number,
    /// Yes or no.
    Flag,
    /// A moment, in milliseconds.
    Time,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether a row may have nothing there.
    pub may_lack: bool,
}

/// A value in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Text, a name or JSON.
    Text(Option<&'a str>),
    /// A number.
    Number(Option<u64>),
    /// Yes or no.
    Flag(bool),
    /// Milliseconds since 1970.
    Time(Option<i64>),
}

impl Cell<'_> {
    /// A moment in milliseconds since 1970; nothing where no engine has a timestamp for it.
    pub fn moment(ms: Option<u64>) -> Self {
        Self::Time(ms.filter(|ms| *ms <= LAST_MS).and_then(|ms| i64::try_from(ms).ok()))
    }
}

/// A file with a table of `N` columns.
pub struct ParquetFile<const N: usize> {
    writer: SerializedFileWriter<Sink>,
    /// The rows of the next row group, by column.
    columns: [Values; N],
    group_rows: usize,
    group_bytes: usize,
    rows: u64,
}

/// A file that is complete.
pub struct Written {
    /// It, which waits for its name.
    pub file: Finished,
    /// How many rows it has.
    pub rows: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

impl<const N: usize> ParquetFile<N> {
    /// Begins a table.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn begin(output: Output, columns: &[Column; N]) -> Result<Self> {
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("table").with_fields(fields).build()?;
        let sink = Sink { output: Some(output), failure: None };
        let writer = SerializedFileWriter::new(sink, Arc::new(schema), properties(columns))?;
        let columns = columns.map(|column| Values::of(&column));
        Ok(Self { writer, columns, group_rows: 0, group_bytes: 0, rows: 0 })
    }

    /// Adds a row, a value for each column in their order.
    ///
    /// # Errors
    ///
    /// When rows before it cannot be written, and when a value is not what its column holds.
    pub fn row(&mut self, cells: [Cell<'_>; N]) -> Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.group_bytes += column.push(cell)?;
        }
        self.group_rows += 1;
        self.rows += 1;
        if self.group_rows < GROUP_ROWS && self.group_bytes < GROUP_BYTES {
            return Ok(());
        }
        self.end_group()
    }

    fn end_group(&mut self) -> Result<()> {
        (self.group_rows, self.group_bytes) = (0, 0);
        let written = write_group(&mut self.writer, &mut self.columns);
        self.explained(written)
    }

    /// Writes what is left, and puts the file on disk; it has not got its name yet.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<Written> {
        if self.group_rows > 0 {
            self.end_group()?;
        }
        let ended = self.writer.finish();
        self.explained(ended)?;
        let bytes = self.writer.bytes_written() as u64;
        let output = self.writer.inner_mut().output.take().context("the file has gone")?;
        Ok(Written { file: output.finish(None)?, rows: self.rows, bytes })
    }

    /// What keeps the file from being written, in its own words.
    fn explained<T>(&mut self, written: Result<T, ParquetError>) -> Result<T> {
        let failure = self.writer.inner_mut().failure.take();
        written.map_err(|error| failure.unwrap_or_else(|| Error::new(error)))
    }
}

/// Hands what Parquet writes to where it goes.
struct Sink {
    output: Option<Output>,
    /// Why that failed: an I/O error has no room for it.
    failure: Option<Error>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(output) = &mut self.output else { return Ok(0) };
        if let Err(error) = output.write_all(bytes) {
            self.failure.get_or_insert(error);
            return Err(io::Error::other("it cannot be written"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The values of a column, with a level for each row that says whether there is one; without levels
/// there is one for each.
struct Values {
    levels: Option<Vec<i16>>,
    typed: Typed,
}

enum Typed {
    /// All texts, and where each ends.
    Text(Vec<u8>, Vec<usize>),
    Integers(Vec<i64>),
    Flags(Vec<bool>),
}

impl Values {
    fn of(column: &Column) -> Self {
        Self {
            levels: column.may_lack.then(Vec::new),
            typed: match column.holds {
                Holds::Text | Holds::Name | Holds::Json => Typed::Text(Vec::new(), Vec::new()),
                Holds::Number | Holds::Time => Typed::Integers(Vec::new()),
                Holds::Flag => Typed::Flags(Vec::new()),
            },
        }
    }

    /// Adds a value; gives how many bytes it takes.
    fn push(&mut self, cell: Cell<'_>) -> Result<usize> {
        let is_there = !matches!(cell, Cell::Text(None) | Cell::Number(None) | Cell::Time(None));
        match &mut self.levels {
            Some(levels) => levels.push(i16::from(is_there)),
            None if is_there => {}
            None => bail!("a value is missing where there always is one"),
        }
        match (&mut self.typed, cell) {
            (Typed::Text(all, ends), Cell::Text(Some(text))) => {
                all.extend_from_slice(text.as_bytes());
                ends.push(all.len());
                return Ok(text.len() + size_of::<ByteArray>());
            }
            // The bits of a number beyond 2^63 are those of a negative one; the type says which it is.
            (Typed::Integers(all), Cell::Number(Some(number))) => all.push(number.cast_signed()),
            (Typed::Integers(all), Cell::Time(Some(ms))) => all.push(ms),
            (Typed::Flags(all), Cell::Flag(flag)) => all.push(flag),
            (Typed::Text(..), Cell::Text(None))
            | (Typed::Integers(_), Cell::Number(None) | Cell::Time(None)) => {}
            _ => bail!("a value is not what its column holds"),
        }
        Ok(size_of::<i64>())
    }

    /// Writes all, and is empty then.
    fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.levels.as_deref();
        match (writer, &mut self.typed) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Typed::Text(all, ends)) => {
                let shared = ByteArray::from(std::mem::take(all));
                let mut begin = 0;
                let texts = ends.drain(..).map(|end| {
                    let text = shared.slice(begin, end - begin);
                    begin = end;
                    text
                });
                writer.write_batch(&Vec::from_iter(texts), levels, None)?;
            }
            (ColumnWriter::Int64ColumnWriter(writer), Typed::Integers(all)) => {
                writer.write_batch(all, levels, None)?;
                all.clear();
            }
            (ColumnWriter::BoolColumnWriter(writer), Typed::Flags(all)) => {
                writer.write_batch(all, levels, None)?;
                all.clear();
            }
            _ => return Err(ParquetError::General("a column is of another type".to_owned())),
        }
        if let Some(levels) = &mut self.levels {
            levels.clear();
        }
        Ok(())
    }
}

fn write_group(
    writer: &mut SerializedFileWriter<Sink>,
    columns: &mut [Values],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for values in columns {
        let column = group.next_column()?;
        let mut column =
            column.ok_or_else(|| ParquetError::General("a column is missing".to_owned()))?;
        values.write(column.untyped())?;
        column.close()?;
    }
    group.close()?;
    Ok(())
}

/// A column as the file describes it.
fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.holds {
        Holds::Text | Holds::Name => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Holds::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        Holds::Number => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Holds::Flag => (Physical::BOOLEAN, None),
        Holds::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    let repetition = if column.may_lack { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let field = Type::primitive_type_builder(column.name, physical)
        .with_logical_type(logical)
        .with_repetition(repetition);
    Ok(Arc::new(field.build()?))
}

/// How the columns are written: what repeats is kept once per row group, and nobody looks for JSON by
/// its bounds.
fn properties(columns: &[Column]) -> Arc<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("databend-metactl version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for column in columns {
        let path = ColumnPath::from(column.name);
        let repeats = column.holds == Holds::Name || column.holds == Holds::Time;
        properties = properties.set_column_dictionary_enabled(path.clone(), repeats);
        if column.holds == Holds::Json {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    Arc::new(properties.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_that_engines_have_no_timestamp_for_are_left_out() {
        for (ms, expected) in [
            (None, None),
            (Some(0), Some(0)),
            (Some(LAST_MS), Some(LAST_MS.cast_signed())),
            (Some(LAST_MS + 1), None),
            (Some(u64::MAX), None),
        ] {
            assert_eq!(Cell::moment(ms), Cell::Time(expected), "{ms:?}");
        }
    }

    #[test]
    fn a_value_is_what_its_column_holds() {
        let values = |holds, may_lack| Values::of(&Column { name: "c", holds, may_lack });
        assert!(values(Holds::Number, false).push(Cell::Number(None)).is_err());
        assert!(values(Holds::Number, false).push(Cell::Text(Some("1"))).is_err());
        assert!(values(Holds::Flag, false).push(Cell::Flag(true)).is_ok());
        assert!(values(Holds::Json, true).push(Cell::Text(None)).is_ok());
    }
}
