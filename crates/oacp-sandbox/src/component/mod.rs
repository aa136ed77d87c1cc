//! Components of any world: each function that they export and whose types JSON can carry is called as it is.

mod command;
mod describe;
mod docs;
mod imports;
mod lift;
mod lower;
mod schema;
mod server;
mod shape;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use oacp::tool::ExportName;
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, Type, Val};

pub use describe::DescribeError;
pub(crate) use describe::{definitions, tool_name};
pub(crate) use docs::{Docs, section as docs_section};
use imports::legible;
pub(crate) use imports::{functions_imported, refusal};

use crate::limits;
use crate::state::State;
use crate::wasi_http::Request;
use shape::{Named, Room, Shape};

/// A function that a component offers as a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// By which it is called.
    pub name: ExportName,
    /// What its authors say of it. `None`: the component says nothing.
    pub description: Option<String>,
    /// JSON Schema 2020-12 of an object: its arguments.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of its result. `None`: nothing is said of it.
    pub output_schema: Option<Value>,
}

/// The name of the rules by which a component's types are JSON: what they make of a result is signed, so another reading of them has another name.
pub const WIT_JSON: &str = "oacp-wit-json/1";

/// The result's JSON text, or the component's own error.
pub(crate) type Answer = Result<String, String>;

/// A linked component with its functions.
pub(crate) struct Exports {
    pub(crate) pre: InstancePre<State>,
    pub(crate) mapped: Vec<Export>,
    /// Names, and why they are none of these.
    pub(crate) refused: Vec<(String, String)>,
    callees: BTreeMap<ExportName, Callee>,
}

/// How a function is called.
struct Callee {
    index: ComponentExportIndex,
    kind: Kind,
}

enum Kind {
    Function {
        parameters: Named<Shape>,
        /// Of a `result`, the error is the component's failure.
        result: Option<Shape>,
    },
    Command,
    Server,
}

impl Exports {
    pub(crate) fn of(component: &Component, pre: InstancePre<State>, docs: &Docs) -> Self {
        let mut exports = Self {
            pre,
            mapped: Vec::new(),
            refused: Vec::new(),
            callees: BTreeMap::new(),
        };
        let mut room = limits::SCHEMAS_BYTES_MAX;
        each_export(component, |place, item| {
            if let Err(reason) = exports.admit(component, &place, item, docs, &mut room) {
                let name = legible(&place.to_string());
                exports.refused.push((name, legible(&reason)));
            }
            match exports.refused.len() < limits::EXPORTS_MAX {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        exports
    }

    /// Why there are none.
    pub(crate) fn nothing(&self) -> String {
        const SHOWN_MAX: usize = 8;
        let shown = self.refused.iter().take(SHOWN_MAX);
        let shown: Vec<_> = shown
            .map(|(name, why)| format!("`{name}`: {why}"))
            .collect();
        match shown.is_empty() {
            true => "it exports no function".to_owned(),
            false => shown.join("; "),
        }
    }

    fn admit(
        &mut self,
        component: &Component,
        place: &Place,
        item: ComponentItem,
        docs: &Docs,
        room: &mut usize,
    ) -> Result<(), String> {
        let ComponentItem::ComponentFunc(function) = item else {
            return Err("it is no function".to_owned());
        };
        if self.mapped.len() >= limits::EXPORTS_MAX {
            return Err(format!(
                "a component offers at most {} functions",
                limits::EXPORTS_MAX
            ));
        }
        let name: ExportName = place.to_string().parse().map_err(|e| format!("{e}"))?;
        let index = place.index(component).ok_or("it cannot be looked up")?;
        let said = docs.function(place.interface.as_deref(), &place.function);
        let (kind, input_schema, output_schema, said) = match place.known() {
            Some(Known::Command) if is_command(&function) => (
                Kind::Command,
                command::input_schema(),
                command::output_schema(),
                said.or_else(|| Some(command::DESCRIPTION.to_owned())),
            ),
            Some(Known::Server) => (
                Kind::Server,
                server::input_schema(),
                server::output_schema(),
                said.or_else(|| Some(server::DESCRIPTION.to_owned())),
            ),
            _ => {
                let (parameters, result) = signature(&function)?;
                let input = schema::of_parameters(&parameters);
                let output = match &result {
                    Some(Shape::Result { ok, .. }) => schema::of_result(ok.as_deref()),
                    result => schema::of_result(result.as_ref()),
                };
                (Kind::Function { parameters, result }, input, output, said)
            }
        };
        for schema in [&input_schema, &output_schema] {
            let bytes = schema.to_string().len();
            if bytes > limits::SCHEMA_BYTES_MAX {
                return Err(format!(
                    "its schema has {bytes} bytes, the limit is {}",
                    limits::SCHEMA_BYTES_MAX
                ));
            }
            if schema::parts(schema) > limits::SCHEMA_PARTS_MAX {
                return Err(format!(
                    "its schema has more than {} parts",
                    limits::SCHEMA_PARTS_MAX
                ));
            }
            if schema::depth(schema) > limits::SCHEMA_DEPTH_MAX {
                return Err(format!(
                    "its schema is nested more than {} deep",
                    limits::SCHEMA_DEPTH_MAX
                ));
            }
            *room = room.checked_sub(bytes).ok_or_else(|| {
                format!(
                    "the schemas of all functions have more than {} bytes",
                    limits::SCHEMAS_BYTES_MAX
                )
            })?;
        }
        self.mapped.push(Export {
            name: name.clone(),
            description: said,
            input_schema,
            output_schema: Some(output_schema),
        });
        self.callees.insert(name, Callee { index, kind });
        Ok(())
    }

    /// Whether an instance outlives a call of the function.
    pub(crate) fn can_be_kept(&self, name: &ExportName) -> bool {
        let callee = self.callees.get(name);
        callee.is_some_and(|callee| matches!(callee.kind, Kind::Function { .. }))
    }

    /// A call of the function, its arguments read. What is wrong with them is the run's failure, like any other of a guest.
    pub(crate) fn prepare(&self, name: &ExportName, input: &str) -> Option<Prepared<'_>> {
        let callee = self.callees.get(name)?;
        let bad = |error| format!("bad_arguments: {error}");
        let is_object = input.trim_start().starts_with('{');
        let input = match is_object {
            true => Ok(input),
            false => Err("the arguments are no object, at `/`".to_owned()),
        };
        let kind = match &callee.kind {
            Kind::Command => PreparedKind::Command(input.and_then(command::input).map_err(bad)),
            Kind::Server => PreparedKind::Server(input.and_then(server::input).map_err(bad)),
            Kind::Function { parameters, result } => PreparedKind::Function {
                arguments: input
                    .and_then(|input| lower::arguments(parameters, input))
                    .map_err(bad),
                result: result.as_ref(),
            },
        };
        Some(Prepared {
            pre: &self.pre,
            index: &callee.index,
            kind,
        })
    }
}

/// A call that is ready to be made.
pub(crate) struct Prepared<'a> {
    pre: &'a InstancePre<State>,
    index: &'a ComponentExportIndex,
    kind: PreparedKind<'a>,
}

enum PreparedKind<'a> {
    Function {
        arguments: Result<Vec<Val>, String>,
        result: Option<&'a Shape>,
    },
    Command(Result<command::Input, String>),
    Server(Result<Request, String>),
}

impl Prepared<'_> {
    /// Calls the function in the instance that is there, or makes one, which is then there. A command or a server has one for each call.
    pub(crate) async fn call(
        self,
        store: &mut Store<State>,
        live: &mut Option<Instance>,
    ) -> wasmtime::Result<Answer> {
        let (arguments, shape) = match self.kind {
            PreparedKind::Command(Ok(input)) => {
                return command::call(self.pre, self.index, input, store).await;
            }
            PreparedKind::Server(Ok(request)) => {
                return server::call(self.pre, self.index, request, store).await;
            }
            PreparedKind::Command(Err(error)) | PreparedKind::Server(Err(error)) => {
                return Ok(Err(error));
            }
            PreparedKind::Function { arguments, result } => match arguments {
                Ok(arguments) => (arguments, result),
                Err(error) => return Ok(Err(error)),
            },
        };
        let instance = match live {
            Some(instance) => *instance,
            None => *live.insert(self.pre.instantiate_async(&mut *store).await?),
        };
        let function = instance
            .get_func(&mut *store, self.index)
            .ok_or_else(|| wasmtime::Error::msg("the component does not export the function"))?;
        // Overwritten by the call; its type does not matter.
        let mut results = vec![Val::Bool(false); usize::from(shape.is_some())];
        function.call_async(store, &arguments, &mut results).await?;
        let value = results.first();
        let text = |shape: Option<&Shape>, value: Option<&Val>, bytes_max| {
            lift::text(shape, value, bytes_max).map_err(|error| error.to_string())
        };
        Ok(match (shape, value) {
            (Some(Shape::Result { ok, error }), Some(Val::Result(result))) => match result {
                Ok(value) => text(ok.as_deref(), value.as_deref(), limits::RESULT_BYTES_MAX),
                // An error too large for a message is one whose message says so.
                Err(value) => {
                    let max = limits::ERROR_MESSAGE_BYTES_MAX;
                    text(error.as_deref(), value.as_deref(), max).and_then(Err)
                }
            },
            _ => text(shape, value, limits::RESULT_BYTES_MAX),
        })
    }
}

/// Where a function is: in an interface, or in the world itself.
struct Place {
    interface: Option<String>,
    function: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.interface.as_deref().unwrap_or_default();
        write!(f, "{interface}#{}", self.function)
    }
}

/// Functions that WASI gives a meaning.
enum Known {
    Command,
    Server,
}

impl Place {
    fn index(&self, component: &Component) -> Option<ComponentExportIndex> {
        let interface = match &self.interface {
            Some(interface) => Some(component.get_export_index(None, interface)?),
            None => None,
        };
        component.get_export_index(interface.as_ref(), &self.function)
    }

    fn known(&self) -> Option<Known> {
        let (interface, _) = self.interface.as_deref()?.split_once("@0.2.")?;
        match (interface, self.function.as_str()) {
            ("wasi:cli/run", "run") => Some(Known::Command),
            ("wasi:http/incoming-handler", "handle") => Some(Known::Server),
            _ => None,
        }
    }
}

/// What a component exports that is no type, in its own order, until `see` says that it is enough. Types are there to be named, not called.
fn each_export(
    component: &Component,
    mut see: impl FnMut(Place, ComponentItem) -> ControlFlow<()>,
) {
    let engine = component.engine();
    let mut within = |interface: Option<&str>, name: &str, item| {
        let place = Place {
            interface: interface.map(str::to_owned),
            function: name.to_owned(),
        };
        match item {
            ComponentItem::Type(_) | ComponentItem::Resource(_) => ControlFlow::Continue(()),
            item => see(place, item),
        }
    };
    let _ =
        component
            .component_type()
            .exports(engine)
            .try_for_each(|(name, export)| match export.ty {
                ComponentItem::ComponentInstance(interface) => interface
                    .exports(engine)
                    .try_for_each(|(function, export)| within(Some(name), function, export.ty)),
                item => within(None, name, item),
            });
}

fn signature(function: &ComponentFunc) -> Result<(Named<Shape>, Option<Shape>), String> {
    if function.async_() {
        return Err("it is asynchronous, of WASI 0.3: export a plain function".to_owned());
    }
    let mut room = Room::default();
    let mut parameters = Vec::new();
    for (name, ty) in function.params() {
        let shape = Shape::of(&ty, &mut room);
        let shape = shape.map_err(|reason| format!("its parameter `{name}` is {reason}"))?;
        parameters.push((name.to_owned(), shape));
    }
    let mut results = function.results();
    let result = match (results.next(), results.next()) {
        (None, _) => None,
        (Some(ty), None) => {
            let shape = Shape::of(&ty, &mut room);
            Some(shape.map_err(|reason| format!("its result is {reason}"))?)
        }
        _ => return Err("it has several results".to_owned()),
    };
    Ok((Named::new(parameters), result))
}

/// `func() -> result`.
fn is_command(function: &ComponentFunc) -> bool {
    let mut results = function.results();
    let result = match (results.next(), results.next()) {
        (Some(Type::Result(result)), None) => result,
        _ => return false,
    };
    function.params().len() == 0 && result.ok().is_none() && result.err().is_none()
}

#[cfg(test)]
mod tests;
