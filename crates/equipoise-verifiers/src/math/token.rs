//! The words and signs that answers are written with.

use super::expression::{Bracket, Constant, Function, NamedSet, Relation};

/// One word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// Digits, perhaps with a decimal point, and a power of ten.
    Number {
        digits: &'a str,
        exponent: i32,
    },
    /// The digits over which a bar stands, after a decimal point: they repeat for ever.
    Repeating(&'a str),
    /// A variable.
    Name(String),
    /// Several letters without a sign between them.
    Word(&'a str),
    /// What stands in `\text{…}` and its like.
    Text(&'a str),
    Function(Function),
    /// The base-ten logarithm, or one whose base follows.
    Log,
    Constant(Constant),
    Plus,
    Minus,
    PlusMinus,
    MinusPlus,
    Times,
    Divide,
    Colon,
    Caret,
    Underscore,
    Bang,
    Percent,
    Degree,
    Prime,
    Comma,
    Semicolon,
    And,
    Open(Bracket),
    Close(Bracket),
    /// `\{`, which always is a set's.
    OpenSet,
    CloseSet,
    /// `{`, which groups in LaTeX and is a set's in plain text.
    OpenGroup,
    CloseGroup,
    Bar,
    DoubleBar,
    OpenFloor,
    CloseFloor,
    OpenCeiling,
    CloseCeiling,
    Relation(Relation),
    Fraction,
    Root,
    Binomial,
    Choose,
    Over,
    Modulo,
    /// A mark over a symbol, which becomes part of its name.
    Accent(&'static str),
    Begin(&'a str),
    End(&'a str),
    Row,
    Column,
    Union,
    Intersection,
    Without,
    SuchThat,
    Set(NamedSet),
    Sum,
    Product,
    Dots,
    Infinite,
}

impl Token<'_> {
    /// Whether a value can end with it.
    pub(super) fn ends_value(&self) -> bool {
        matches!(
            self,
            Self::Number { .. }
                | Self::Repeating(_)
                | Self::Name(_)
                | Self::Word(_)
                | Self::Constant(_)
                | Self::Bang
                | Self::Percent
                | Self::Degree
                | Self::Prime
                | Self::Close(_)
                | Self::CloseSet
                | Self::CloseGroup
                | Self::Bar
                | Self::End(_)
                | Self::Infinite
        )
    }
}

/// The functions whose names are the same with and without a backslash.
pub(super) fn function(name: &str) -> Option<Token<'static>> {
    use Function as F;
    let function = match name {
        "sin" => F::Sin,
        "cos" => F::Cos,
        "tan" | "tg" => F::Tan,
        "cot" | "ctg" => F::Cot,
        "sec" => F::Sec,
        "csc" | "cosec" => F::Csc,
        "arcsin" | "asin" => F::Arcsin,
        "arccos" | "acos" => F::Arccos,
        "arctan" | "atan" => F::Arctan,
        "sinh" => F::Sinh,
        "cosh" => F::Cosh,
        "tanh" => F::Tanh,
        "ln" => F::Log,
        "log" | "lg" => return Some(Token::Log),
        "abs" => F::Absolute,
        "floor" => F::Floor,
        "ceil" | "ceiling" => F::Ceiling,
        "gcd" => F::Gcd,
        "lcm" => F::Lcm,
        "max" => F::Maximum,
        "min" => F::Minimum,
        "sqrt" => return Some(Token::Root),
        "exp" => F::Named("exp".into()),
        _ => return None,
    };
    Some(Token::Function(function))
}

/// A Greek letter by its English name.
pub(super) fn greek(name: &str) -> Option<Token<'static>> {
    const LETTERS: [&str; 30] = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "omicron",
        "rho",
        "varrho",
        "sigma",
        "varsigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "ell",
        "hbar",
    ];
    let lower = name.to_lowercase();
    if lower == "pi" {
        return Some(Token::Constant(Constant::Pi));
    }
    let found = LETTERS.iter().find(|letter| **letter == lower)?;
    // The variants of a letter are the letter.
    Some(Token::Name(found.trim_start_matches("var").to_owned()))
}

/// A character that is a word or sign by itself.
pub(super) fn character(c: char) -> Option<Token<'static>> {
    use Relation as R;
    use Token as T;
    Some(match c {
        '+' | '＋' => T::Plus,
        '-' | '−' | '–' | '—' | '‐' => T::Minus,
        '±' => T::PlusMinus,
        '∓' => T::MinusPlus,
        '*' | '×' | '·' | '⋅' | '∙' | '∗' => T::Times,
        '/' | '÷' | '∕' | '⁄' => T::Divide,
        ':' => T::Colon,
        '^' => T::Caret,
        '_' => T::Underscore,
        '!' => T::Bang,
        '%' | '％' => T::Percent,
        '°' | 'º' => T::Degree,
        '\'' | '′' | '’' => T::Prime,
        ',' | '，' | '、' => T::Comma,
        ';' | '；' => T::Semicolon,
        '(' | '（' => T::Open(Bracket::Round),
        ')' | '）' => T::Close(Bracket::Round),
        '[' => T::Open(Bracket::Square),
        ']' => T::Close(Bracket::Square),
        '{' => T::OpenGroup,
        '}' => T::CloseGroup,
        '|' | '∣' => T::Bar,
        '‖' => T::DoubleBar,
        '⌊' => T::OpenFloor,
        '⌋' => T::CloseFloor,
        '⌈' => T::OpenCeiling,
        '⌉' => T::CloseCeiling,
        '=' | '＝' => T::Relation(R::Equal),
        '≠' => T::Relation(R::NotEqual),
        '<' => T::Relation(R::Less),
        '>' => T::Relation(R::Greater),
        '≤' | '⩽' => T::Relation(R::LessOrEqual),
        '≥' | '⩾' => T::Relation(R::GreaterOrEqual),
        '≈' | '≃' | '≅' => T::Relation(R::Approximately),
        '≡' => T::Relation(R::Other("≡")),
        '∈' => T::Relation(R::Member),
        '∪' => T::Union,
        '∩' => T::Intersection,
        '∖' => T::Without,
        '∞' => T::Infinite,
        '∅' | 'Ø' => T::Set(NamedSet::Empty),
        'ℕ' => T::Set(NamedSet::Naturals),
        'ℤ' => T::Set(NamedSet::Integers),
        'ℚ' => T::Set(NamedSet::Rationals),
        'ℝ' => T::Set(NamedSet::Reals),
        'ℂ' => T::Set(NamedSet::Complexes),
        '√' => T::Root,
        'π' => T::Constant(Constant::Pi),
        '∧' => T::And,
        '∨' => T::Comma,
        '…' => T::Dots,
        '&' => T::Column,
        _ => return greek_character(c),
    })
}

/// A Greek letter as a character.
fn greek_character(c: char) -> Option<Token<'static>> {
    const LETTERS: [(&str, &str); 22] = [
        ("αΑ", "alpha"),
        ("βΒ", "beta"),
        ("γΓ", "gamma"),
        ("δΔ", "delta"),
        ("εϵΕ", "epsilon"),
        ("ζ", "zeta"),
        ("η", "eta"),
        ("θϑΘ", "theta"),
        ("ι", "iota"),
        ("κ", "kappa"),
        ("λΛ", "lambda"),
        ("μµ", "mu"),
        ("ν", "nu"),
        ("ξΞ", "xi"),
        ("ρ", "rho"),
        ("σςΣ", "sigma"),
        ("τ", "tau"),
        ("υ", "upsilon"),
        ("φϕΦ", "phi"),
        ("χ", "chi"),
        ("ψΨ", "psi"),
        ("ωΩ", "omega"),
    ];
    let found = LETTERS.iter().find(|(letters, _)| letters.contains(c))?;
    Some(Token::Name(found.1.to_owned()))
}

/// A LaTeX command by its name, without the backslash; `None` if it is unknown.
pub(super) fn command(name: &str) -> Option<Token<'static>> {
    use Relation as R;
    use Token as T;
    Some(match name {
        "cdot" | "times" | "ast" | "bullet" => T::Times,
        "div" => T::Divide,
        "pm" => T::PlusMinus,
        "mp" => T::MinusPlus,
        "le" | "leq" | "leqslant" | "leqq" => T::Relation(R::LessOrEqual),
        "ge" | "geq" | "geqslant" | "geqq" => T::Relation(R::GreaterOrEqual),
        "lt" => T::Relation(R::Less),
        "gt" => T::Relation(R::Greater),
        "ne" | "neq" => T::Relation(R::NotEqual),
        "approx" | "simeq" | "cong" | "thickapprox" => T::Relation(R::Approximately),
        "equiv" => T::Relation(R::Other("≡")),
        "sim" => T::Relation(R::Other("∼")),
        "propto" => T::Relation(R::Other("∝")),
        "perp" => T::Relation(R::Other("⊥")),
        "parallel" => T::Relation(R::Other("∥")),
        "to" | "rightarrow" | "longrightarrow" => T::Relation(R::Other("→")),
        "implies" | "Rightarrow" => T::Relation(R::Other("⇒")),
        "notin" => T::Relation(R::Other("∉")),
        "subset" | "subseteq" => T::Relation(R::Other("⊆")),
        "in" => T::Relation(R::Member),
        "cup" | "bigcup" | "union" => T::Union,
        "cap" | "bigcap" => T::Intersection,
        "setminus" | "backslash" | "smallsetminus" => T::Without,
        "infty" | "infin" => T::Infinite,
        "emptyset" | "varnothing" | "O" => T::Set(NamedSet::Empty),
        "circ" | "degree" | "deg" => T::Degree,
        "prime" => T::Prime,
        "lbrace" => T::OpenSet,
        "rbrace" => T::CloseSet,
        "lbrack" => T::Open(Bracket::Square),
        "rbrack" => T::Close(Bracket::Square),
        "langle" => T::Open(Bracket::Round),
        "rangle" => T::Close(Bracket::Round),
        "lvert" | "rvert" | "vert" => T::Bar,
        "mid" => T::SuchThat,
        "lVert" | "rVert" | "Vert" => T::DoubleBar,
        "lfloor" => T::OpenFloor,
        "rfloor" => T::CloseFloor,
        "lceil" => T::OpenCeiling,
        "rceil" => T::CloseCeiling,
        "frac" | "dfrac" | "tfrac" | "cfrac" => T::Fraction,
        "sqrt" => T::Root,
        "binom" | "dbinom" | "tbinom" => T::Binomial,
        "choose" => T::Choose,
        "over" => T::Over,
        "bmod" | "mod" => T::Modulo,
        "bar" | "overline" => T::Accent("bar"),
        "vec" | "overrightarrow" => T::Accent("vec"),
        "hat" | "widehat" => T::Accent("hat"),
        "tilde" | "widetilde" => T::Accent("tilde"),
        "dot" => T::Accent("dot"),
        "angle" => T::Accent("angle"),
        "triangle" => T::Accent("triangle"),
        "sum" => T::Sum,
        "prod" => T::Product,
        "dots" | "ldots" | "cdots" => T::Dots,
        "land" | "wedge" => T::And,
        "lor" | "vee" => T::Comma,
        "colon" => T::Colon,
        "R" | "Reals" | "reals" => T::Set(NamedSet::Reals),
        "N" => T::Set(NamedSet::Naturals),
        "Z" => T::Set(NamedSet::Integers),
        "Q" => T::Set(NamedSet::Rationals),
        "i" | "imath" => T::Constant(Constant::I),
        _ => return function(name).or_else(|| greek(name)),
    })
}
