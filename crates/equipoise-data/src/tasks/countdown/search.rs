//! Expressions over given numbers: a random one, and one with a given value.

use equipoise_core::Stream;

/// The most numbers the exhaustive search is made for.
pub(super) const MOST_NUMBERS: usize = 6;

/// An expression with a whole, positive value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Formula {
    /// The expression, with as few parentheses as it needs.
    pub(super) text: String,
    /// Its value.
    pub(super) value: u64,
    /// How tightly its outermost operator binds.
    binding: Binding,
}

/// How tightly an operator binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    /// `+` and `-`.
    Sum,
    /// `*` and `/`.
    Product,
    /// A number.
    Number,
}

/// The operators in the order in which the search tries them.
const OPERATORS: [char; 4] = ['+', '-', '*', '/'];

impl Formula {
    fn number(value: u64) -> Self {
        Self {
            text: value.to_string(),
            value,
            binding: Binding::Number,
        }
    }

    /// The value of `left operator right`; `None` unless it is whole, positive and fits.
    fn combined_value(left: u64, operator: char, right: u64) -> Option<u64> {
        match operator {
            '+' => left.checked_add(right),
            '-' => left.checked_sub(right),
            '*' => left.checked_mul(right),
            _ => left
                .checked_rem(right)
                .filter(|&rest| rest == 0)
                .map(|_| left / right),
        }
        .filter(|&value| value > 0)
    }

    /// `left operator right`; `None` unless its value is whole, positive and fits.
    fn combine(left: &Self, operator: char, right: &Self) -> Option<Self> {
        let value = Self::combined_value(left.value, operator, right.value)?;
        let binding = match operator {
            '+' | '-' => Binding::Sum,
            _ => Binding::Product,
        };
        let in_parentheses = |formula: &Self, needed: bool| match needed {
            true => format!("({})", formula.text),
            false => formula.text.clone(),
        };
        // Operators of equal binding are taken from left to right, so a right operand of equal
        // binding needs parentheses after `-` and `/`.
        let strict = matches!(operator, '-' | '/');
        let right_needs = right.binding < binding || (strict && right.binding == binding);
        Some(Self {
            text: format!(
                "{}{operator}{}",
                in_parentheses(left, left.binding < binding),
                in_parentheses(right, right_needs)
            ),
            value,
            binding,
        })
    }
}

/// An expression over all `numbers`, combined pair by pair at random; `None` if a pair had no
/// possible result or there are no numbers.
pub(super) fn random(numbers: &[u64], stream: &mut Stream) -> Option<Formula> {
    let mut formulas: Vec<Formula> = numbers.iter().copied().map(Formula::number).collect();
    while formulas.len() > 1 {
        stream.shuffle(&mut formulas);
        let (right, left) = (formulas.pop()?, formulas.pop()?);
        // A sum always exists unless it overflows, so a few draws are enough.
        let combined = (0..8).find_map(|_| {
            let operator = *stream.choose(&OPERATORS)?;
            Formula::combine(&left, operator, &right)
        });
        formulas.push(combined?);
    }
    formulas.pop()
}

/// An expression over all `numbers` with the value `target`, the first that a search in a random
/// order finds; `None` if there is none with whole, positive intermediate results.
pub(super) fn solve(numbers: &[u64], target: u64, stream: &mut Stream) -> Option<Formula> {
    let mut numbers = numbers.to_vec();
    stream.shuffle(&mut numbers);
    let mut operators = OPERATORS;
    stream.shuffle(&mut operators);
    let nodes = numbers.iter().map(|&value| Node { value, from: None });
    let mut search = Search {
        nodes: nodes.collect(),
        target,
        operators,
    };
    let all: Vec<usize> = (0..numbers.len()).collect();
    let root = search.run(&all)?;
    search.formula(root)
}

/// One value of the search, with what it was made from; a given number was made from nothing.
struct Node {
    value: u64,
    from: Option<(usize, char, usize)>,
}

/// A depth-first search that combines two values at a time. Only values are computed on the way;
/// the text is written once, for the solution.
struct Search {
    nodes: Vec<Node>,
    target: u64,
    operators: [char; 4],
}

impl Search {
    /// The node with the target as its value, made from all of the nodes `open`.
    fn run(&mut self, open: &[usize]) -> Option<usize> {
        if let [node] = *open {
            return (self.nodes[node].value == self.target).then_some(node);
        }
        for (i, &left) in open.iter().enumerate() {
            for (j, &right) in open.iter().enumerate() {
                for operator in self.operators {
                    // Sums and products are tried in one order only.
                    if i == j || (i > j && matches!(operator, '+' | '*')) {
                        continue;
                    }
                    let (a, b) = (self.nodes[left].value, self.nodes[right].value);
                    let Some(value) = Formula::combined_value(a, operator, b) else {
                        continue;
                    };
                    let made = self.nodes.len();
                    let from = Some((left, operator, right));
                    self.nodes.push(Node { value, from });
                    let mut next: Vec<usize> = open.to_vec();
                    next.retain(|&node| node != left && node != right);
                    next.push(made);
                    if let Some(root) = self.run(&next) {
                        return Some(root);
                    }
                    self.nodes.truncate(made);
                }
            }
        }
        None
    }

    /// The expression that leads to `node`.
    fn formula(&self, node: usize) -> Option<Formula> {
        match self.nodes[node].from {
            None => Some(Formula::number(self.nodes[node].value)),
            Some((left, operator, right)) => {
                Formula::combine(&self.formula(left)?, operator, &self.formula(right)?)
            }
        }
    }
}
