//! How much a plugin makes the compiler do, bounded before anything of it is compiled.
//!
//! A compiler takes time and memory in proportion to what people write, and far more for what is written against it: at
//! each place where branches meet it says where each variable is. So it is not only counted what there is, but what
//! multiplies. A plugin that a compiler of a language made stays far below each of these.

use wasmparser::{FunctionBody, Operator, Parser, Payload, SubType, TypeSectionReader};

use super::{Refused, expansion};

/// 50,000: a component with the whole of Python in it has 13,000. The compiler holds some 6 KiB for each, however small.
const FUNCTIONS_MAX: u64 = 50_000;

/// 1 MiB of one function: the largest in Python has 417 KiB.
const FUNCTION_BYTES_MAX: u64 = 1 << 20;

/// 2,000,000 meetings of a place in a function with a variable: the most in a function of Python are 323,000. Four million,
/// in a function of 25 KiB, took the compiler more than 3 GiB and more than a minute.
const MEETINGS_MAX: u64 = 2_000_000;

/// 50,000,000 meetings in all functions: they take the compiler minutes, which it spends behind everybody else.
const ALL_MEETINGS_MAX: u64 = 50_000_000;

/// 256 variables: of more, each counts as often as there are so many, since the compiler looks through all of them for
/// each. No function of Python has more than 64.
const VARIABLES: u64 = 256;

/// 64 loops within each other: people write four. Each adds to what the compiler does for all around it.
const LOOPS_DEEP_MAX: u64 = 64;

/// 32 MiB of code in all modules: it comes out four times as large, and is held twice before it is stored.
const CODE_BYTES_MAX: u64 = 32 << 20;

/// 1,000 modules, each of which costs tables of its own even if it is empty: Python with its libraries has some 20.
const MODULES_MAX: u64 = 1_000;

/// 100 components within each other: composed ones have a handful.
const DEPTH_MAX: u64 = 100;

/// Checks a component or a core module.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refused> {
    let mut bulk = Bulk::default();
    for payload in Parser::new(0).parse_all(bytes) {
        bulk.add(payload.map_err(malformed)?)?;
    }
    expansion::check(bytes)
}

/// What is counted of a whole plugin.
#[derive(Default)]
struct Bulk {
    functions: u64,
    code_bytes: u64,
    modules: u64,
    depth: u64,
    meetings: u64,
    /// The most parameters and results of one function type in the module in hand.
    widest: u64,
}

impl Bulk {
    fn add(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        if let Payload::Version { .. } = payload {
            (self.depth, self.widest) = (self.depth + 1, 0);
            at_most("its components are nested", self.depth, DEPTH_MAX, "deep")
        } else if let Payload::End(_) = payload {
            self.depth -= 1;
            Ok(())
        } else if let Payload::TypeSection(types) = payload {
            self.widest = widest(types).map_err(malformed)?;
            Ok(())
        } else if let Payload::ModuleSection { .. } = payload {
            self.modules += 1;
            at_most("it has", self.modules, MODULES_MAX, "modules")
        } else if let Payload::CodeSectionStart { count, size, .. } = payload {
            self.functions += u64::from(count);
            self.code_bytes += u64::from(size);
            at_most("it has", self.functions, FUNCTIONS_MAX, "functions")?;
            at_most("it has", self.code_bytes, CODE_BYTES_MAX, "bytes of code")
        } else if let Payload::CodeSectionEntry(body) = payload {
            self.add_function(&body)
        } else {
            Ok(())
        }
    }

    fn add_function(&mut self, body: &FunctionBody<'_>) -> Result<(), Refused> {
        at_most("a function of it has", body.range().len() as u64, FUNCTION_BYTES_MAX, "bytes")?;
        let flow = Flow::of(body, self.widest).map_err(malformed)?;
        at_most("loops in a function of it are nested", flow.loops_deep, LOOPS_DEEP_MAX, "deep")?;
        at_most("in a function of it places and variables meet", flow.meetings, MEETINGS_MAX, "times")?;
        self.meetings = self.meetings.saturating_add(flow.meetings);
        at_most("in its functions places and variables meet", self.meetings, ALL_MEETINGS_MAX, "times")
    }
}

fn at_most(what: &str, found: u64, max: u64, unit: &str) -> Result<(), Refused> {
    if found <= max {
        return Ok(());
    }
    Err(Refused::Bulk { message: format!("{what} {found} {unit}, at most {max} are compiled") })
}

fn malformed(error: wasmparser::BinaryReaderError) -> Refused {
    Refused::Malformed { message: error.to_string() }
}

fn widest(types: TypeSectionReader<'_>) -> wasmparser::Result<u64> {
    let mut widest = 0;
    for group in types {
        for ty in group?.into_types() {
            let SubType { composite_type, .. } = ty;
            if let wasmparser::CompositeInnerType::Func(func) = composite_type.inner {
                widest = widest.max(func.params().len() + func.results().len());
            }
        }
    }
    Ok(widest as u64)
}

/// How control goes through a function.
struct Flow {
    /// How often a place to which or from which control may go meets a variable, or a value that goes with it.
    meetings: u64,
    loops_deep: u64,
}

impl Flow {
    fn of(body: &FunctionBody<'_>, widest: u64) -> wasmparser::Result<Self> {
        let mut variables = widest;
        for local in body.get_locals_reader()? {
            variables += u64::from(local?.0);
        }
        let (mut places, mut calls) = (0_u64, 0_u64);
        let mut loops_deep = 0;
        // Of each block that is open, the loops around it and itself.
        let mut open = vec![0];
        for operator in body.get_operators_reader()? {
            let around = open.last().copied().unwrap_or(0);
            match operator? {
                Operator::BrTable { targets } => places += u64::from(targets.len()) + 1,
                Operator::Loop { .. } => {
                    places += 1;
                    open.push(around + 1);
                    loops_deep = loops_deep.max(around + 1);
                }
                Operator::Block { .. } | Operator::If { .. } => {
                    places += 1;
                    open.push(around);
                }
                Operator::End => drop(open.pop()),
                Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } => places += 1,
                Operator::Call { .. } | Operator::CallIndirect { .. } => calls += 1,
                _ => {}
            }
        }
        let weight = (variables / VARIABLES).max(1);
        let meetings = places.saturating_mul(variables).saturating_mul(weight);
        let meetings = meetings.saturating_add(calls.saturating_mul(widest));
        Ok(Self { meetings, loops_deep })
    }
}
