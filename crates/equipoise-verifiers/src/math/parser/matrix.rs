//! Matrices and systems of equations: what stands between `\begin` and `\end`.

use super::{Parsed, Parser, listed, scalar};
use crate::math::expression::{Expression, Value};
use crate::math::token::Token;

impl Parser<'_, '_> {
    /// The rows between `\begin{…}` and `\end{…}`.
    pub(super) fn environment(&mut self, name: &str) -> Parsed {
        self.advance();
        if name == "array" && self.peek() == Some(&Token::OpenGroup) {
            // The alignment of the columns.
            while !matches!(self.peek(), None | Some(Token::CloseGroup)) {
                self.advance();
            }
            self.expect(&Token::CloseGroup)?;
        }
        let mut rows = vec![Vec::new()];
        self.inside(false, true, |parser| {
            loop {
                match parser.peek() {
                    None => return Err(format!("\\end{{{name}}} is missing")),
                    Some(Token::End(_)) => return Ok(()),
                    Some(Token::Row) => rows.push(Vec::new()),
                    Some(Token::Column) => {}
                    Some(_) => {
                        let cell = parser.element()?;
                        rows.last_mut().ok_or("a row is missing")?.push(cell);
                        continue;
                    }
                }
                parser.advance();
            }
        })?;
        self.advance();
        rows.retain(|row| !row.is_empty());
        if name.ends_with("matrix") || name == "array" {
            let rows: Vec<Vec<Expression>> = rows
                .into_iter()
                .map(|row| row.into_iter().map(scalar).collect())
                .collect::<Parsed<_>>()?;
            let width = rows.first().map_or(0, Vec::len);
            if width == 0 || rows.iter().any(|row| row.len() != width) {
                return Err("the rows of a matrix are not equally long".into());
            }
            return match name {
                "vmatrix" => determinant(&rows).map(Value::Scalar),
                _ => Ok(Value::Matrix(rows)),
            };
        }
        // A system of equations is a list of them.
        Ok(listed(rows.into_iter().flatten().collect()))
    }
}

/// The determinant of a small square matrix, expanded along its first row.
fn determinant(rows: &[Vec<Expression>]) -> Parsed<Expression> {
    if rows.iter().any(|row| row.len() != rows.len()) || rows.len() > 4 {
        return Err("a determinant needs a square matrix of at most four rows".into());
    }
    if let [row] = rows {
        return Ok(row[0].clone());
    }
    let minor = |column: usize| -> Vec<Vec<Expression>> {
        let without = |row: &Vec<Expression>| {
            let mut row = row.clone();
            row.remove(column);
            row
        };
        rows[1..].iter().map(without).collect()
    };
    let mut terms = Vec::new();
    for (column, entry) in rows[0].iter().enumerate() {
        let term = Expression::product(entry.clone(), determinant(&minor(column))?);
        terms.push(if column % 2 == 0 {
            term
        } else {
            term.negative()
        });
    }
    Ok(Expression::Sum(terms))
}
