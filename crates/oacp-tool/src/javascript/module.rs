//! What a file declares, imports and exports: all that is kept of it once its syntax tree is gone.

use std::collections::{BTreeMap, BTreeSet};

use oacp::source::SourcePath;
use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingPattern, Class, Declaration, ExportDefaultDeclarationKind, Expression, FormalParameters,
    Function as Syntax, ImportDeclarationSpecifier, ImportOrExportKind, Program, Statement,
    TSInterfaceDeclaration, TSType, TSTypeAnnotation, VariableDeclaration, VariableDeclarationKind,
};
use oxc_span::{GetSpan, Span};
use serde_json::Value;

use super::annotation::name;
use super::doc::{Doc, typedefs};
use super::literal::{is_undefined, literal};
use super::parse::{Language, Lines, parse, readable, slice};
use super::problem::problem;
use super::strip::{self, Stripped};
use super::types::{Kind, Notes, Type};
use crate::package::Remark;

/// A file.
pub(super) struct Module {
    pub(super) file: SourcePath,
    pub(super) types: BTreeMap<String, Declared>,
    /// What is declared at the top that exists when the file runs.
    pub(super) values: BTreeSet<String>,
    /// Constants that are written out.
    pub(super) constants: BTreeMap<String, Value>,
    pub(super) functions: BTreeMap<String, Function>,
    pub(super) imports: BTreeMap<String, Import>,
    /// In their order.
    pub(super) exports: Vec<Export>,
    /// The files of `export * from`, with their lines.
    pub(super) export_all: Vec<(String, u32)>,
    /// Every file that it imports, in whatever way.
    pub(super) specifiers: Vec<(String, u32)>,
    /// `export const schemas`
    pub(super) schemas: Option<Schemas>,
    /// Where it exports as CommonJS does.
    pub(super) commonjs: Option<u32>,
    /// As JavaScript. `None`: it is that.
    pub(super) stripped: Option<Stripped>,
}

/// A type that has a name.
pub(super) struct Declared {
    pub(super) ty: Type,
    pub(super) notes: Notes,
    pub(super) line: u32,
    pub(super) generic: bool,
}

/// `import { imported as … } from "from"`
#[derive(Clone)]
pub(super) struct Import {
    pub(super) from: String,
    /// `default`, or a name. `None`: the whole namespace.
    pub(super) imported: Option<String>,
    pub(super) type_only: bool,
}

/// A name that others can import.
pub(super) struct Export {
    pub(super) name: String,
    pub(super) from: Origin,
    pub(super) line: u32,
    pub(super) type_only: bool,
}

/// Where an exported name comes from.
pub(super) enum Origin {
    /// A name of this file.
    Local(String),
    /// `export { name } from "file"`
    Other { file: String, name: Option<String> },
    /// A default export that is a function without a name.
    Nameless,
    /// A default export of another kind.
    Value,
}

/// `export const schemas = { … }`, a problem if it is not written out.
pub(super) type Schemas = (u32, Result<Value, Remark>);

/// A function as it is declared.
#[derive(Clone)]
pub(super) struct Function {
    pub(super) line: u32,
    pub(super) generator: bool,
    pub(super) generic: bool,
    pub(super) overloaded: bool,
    pub(super) parameters: Vec<Parameter>,
    /// The line of a `...rest`.
    pub(super) rest: Option<u32>,
    pub(super) returns: Option<Type>,
    pub(super) doc: Option<Doc>,
}

#[derive(Clone)]
pub(super) struct Parameter {
    pub(super) line: u32,
    pub(super) pattern: Pattern,
    pub(super) ty: Option<Type>,
    pub(super) optional: bool,
    pub(super) default: Option<Fallback>,
    pub(super) doc: Option<Doc>,
}

#[derive(Clone)]
pub(super) enum Pattern {
    Name(String),
    /// `{ city, days = 3 }`
    Object(Vec<Field>),
    /// An array's, or one with computed keys.
    Other,
}

#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) default: Option<Fallback>,
    pub(super) line: u32,
}

/// What stands behind a `=`.
#[derive(Clone)]
pub(super) enum Fallback {
    Literal(Value),
    /// To be computed, or `undefined`.
    Other,
}

impl Module {
    /// Reads a file.
    pub(super) fn read(
        file: &SourcePath,
        content: &[u8],
        language: Language,
    ) -> Result<Self, Remark> {
        let text = readable(file, content, language)?;
        let allocator = Allocator::default();
        let program = parse(&allocator, file, text, language)?;
        let mut reader = Reader::of(file, text, &program);
        let mut module = Self {
            file: file.clone(),
            types: BTreeMap::new(),
            values: BTreeSet::new(),
            constants: BTreeMap::new(),
            functions: BTreeMap::new(),
            imports: BTreeMap::new(),
            exports: Vec::new(),
            export_all: Vec::new(),
            specifiers: Vec::new(),
            schemas: None,
            commonjs: None,
            stripped: None,
        };
        for statement in &program.body {
            reader.statement(&mut module, statement);
        }
        reader.comments(&mut module);
        module.find_schemas();
        let outcome = strip::run(file, text, &reader.lines, &program);
        module.specifiers = outcome.specifiers;
        module.stripped = match language {
            Language::JavaScript => Some(Stripped {
                edits: outcome.stripped.edits.only_characters(),
                problems: Vec::new(),
                uses: Vec::new(),
                references: BTreeSet::new(),
            }),
            Language::TypeScript => Some(outcome.stripped),
            Language::Declarations => None,
        };
        Ok(module)
    }
}

impl Module {
    /// `const schemas = …; export { schemas };`
    fn find_schemas(&mut self) {
        let export = self.exports.iter().find(|export| export.name == "schemas");
        if let (None, Some(export)) = (&self.schemas, export)
            && let Origin::Local(local) = &export.from
            && self.values.contains(local)
        {
            let value = self.constants.get(local).cloned().ok_or_else(|| {
                problem(
                    &self.file,
                    export.line,
                    "`schemas` cannot be read without running the file",
                    "write `export const schemas = { … };`, as one literal",
                )
            });
            self.schemas = Some((export.line, value));
        }
    }
}

/// Reads declarations, with the comments before them.
pub(super) struct Reader<'t, 'a> {
    pub(super) file: &'t SourcePath,
    pub(super) text: &'t str,
    pub(super) lines: Lines,
    /// JSDoc comments, by the place of what follows them.
    docs: BTreeMap<u32, Span>,
    all_docs: Vec<Span>,
    marker: std::marker::PhantomData<&'a ()>,
}

impl<'t, 'a> Reader<'t, 'a> {
    fn of(file: &'t SourcePath, text: &'t str, program: &Program<'a>) -> Self {
        let mut docs = BTreeMap::new();
        let mut all_docs = Vec::new();
        for comment in &program.comments {
            if comment.is_block() && slice(text, comment.span).starts_with("/**") {
                all_docs.push(comment.span);
                if comment.is_leading() {
                    // Of several the last one counts.
                    docs.insert(comment.attached_to, comment.span);
                }
            }
        }
        Self {
            file,
            text,
            lines: Lines::of(text),
            docs,
            all_docs,
            marker: std::marker::PhantomData,
        }
    }

    pub(super) fn line(&self, span: Span) -> u32 {
        self.lines.at(span.start)
    }

    pub(super) fn doc_at(&self, offset: u32) -> Option<Doc> {
        let span = self.docs.get(&offset)?;
        Some(Doc::of(slice(self.text, *span), self.line(*span)))
    }

    fn doc_at_any(&self, offsets: &[u32]) -> Option<Doc> {
        offsets.iter().find_map(|offset| self.doc_at(*offset))
    }

    /// Types and imports that comments declare.
    fn comments(&mut self, module: &mut Module) {
        for span in &self.all_docs {
            let text = slice(self.text, *span);
            if !text.contains("@typedef") && !text.contains("@import") {
                continue;
            }
            let doc = Doc::of(text, self.line(*span));
            let generic = doc.has(&["template"]);
            for (name, ty, notes) in typedefs(&doc) {
                let line = ty.line;
                module.types.entry(name).or_insert(Declared {
                    ty,
                    notes,
                    line,
                    generic,
                });
            }
            for tag in doc.tags.iter().filter(|tag| tag.name == "import") {
                for (local, import) in import_tag(&tag.text) {
                    module.imports.entry(local).or_insert(import);
                }
            }
        }
    }

    fn statement(&mut self, module: &mut Module, statement: &Statement<'a>) {
        let start = statement.span().start;
        match statement {
            Statement::ImportDeclaration(import) => {
                for specifier in import.specifiers.iter().flatten() {
                    let (local, imported, kind) = match specifier {
                        ImportDeclarationSpecifier::ImportSpecifier(of) => (
                            &of.local,
                            Some(of.imported.name().to_string()),
                            of.import_kind,
                        ),
                        ImportDeclarationSpecifier::ImportDefaultSpecifier(of) => (
                            &of.local,
                            Some("default".to_owned()),
                            ImportOrExportKind::Value,
                        ),
                        ImportDeclarationSpecifier::ImportNamespaceSpecifier(of) => {
                            (&of.local, None, ImportOrExportKind::Value)
                        }
                    };
                    let import = Import {
                        from: import.source.value.to_string(),
                        imported,
                        type_only: kind == ImportOrExportKind::Type
                            || import.import_kind == ImportOrExportKind::Type,
                    };
                    module.imports.insert(local.name.to_string(), import);
                }
            }
            Statement::ExportDeclaration(export) => {
                for name in self.declaration(module, &export.declaration, &[start]) {
                    if name == "schemas" {
                        self.schemas(module, &export.declaration);
                    }
                    module.exports.push(Export {
                        from: Origin::Local(name.clone()),
                        line: self.lines.at(start),
                        type_only: false,
                        name,
                    });
                }
            }
            Statement::ExportNamedDeclaration(export) => {
                for specifier in &export.specifiers {
                    module.exports.push(Export {
                        name: specifier.exported.name().to_string(),
                        from: Origin::Local(specifier.local.name().to_string()),
                        line: self.line(specifier.span),
                        type_only: specifier.export_kind == ImportOrExportKind::Type
                            || export.export_kind == ImportOrExportKind::Type,
                    });
                }
            }
            Statement::ExportFromDeclaration(export) => {
                for specifier in &export.specifiers {
                    module.exports.push(Export {
                        name: specifier.exported.name().to_string(),
                        from: Origin::Other {
                            file: export.source.value.to_string(),
                            name: Some(specifier.local.name().to_string()),
                        },
                        line: self.line(specifier.span),
                        type_only: specifier.export_kind == ImportOrExportKind::Type
                            || export.export_kind == ImportOrExportKind::Type,
                    });
                }
            }
            Statement::ExportAllDeclaration(export) => {
                let file = export.source.value.to_string();
                let line = self.line(export.span);
                match &export.exported {
                    Some(name) => module.exports.push(Export {
                        name: name.name().to_string(),
                        from: Origin::Other { file, name: None },
                        line,
                        type_only: export.export_kind == ImportOrExportKind::Type,
                    }),
                    None => module.export_all.push((file, line)),
                }
            }
            Statement::ExportDefaultDeclaration(export) => {
                let from = self.default(module, &export.declaration, start);
                module.exports.push(Export {
                    name: "default".to_owned(),
                    from,
                    line: self.lines.at(start),
                    type_only: false,
                });
            }
            Statement::ExpressionStatement(of) => {
                if module.commonjs.is_none() && is_commonjs(&of.expression) {
                    module.commonjs = Some(self.lines.at(start));
                }
            }
            statement => {
                if let Some(declaration) = statement.as_declaration() {
                    self.declaration(module, declaration, &[start]);
                }
            }
        }
    }

    fn default(
        &mut self,
        module: &mut Module,
        of: &ExportDefaultDeclarationKind<'a>,
        start: u32,
    ) -> Origin {
        match of {
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => match &function.id {
                Some(id) => {
                    let name = id.name.to_string();
                    self.function(module, &name, function, &[start]);
                    Origin::Local(name)
                }
                None => Origin::Nameless,
            },
            ExportDefaultDeclarationKind::ClassDeclaration(class) => self.class(module, class),
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(interface) => {
                self.interface(module, interface, &[start]);
                Origin::Local(interface.id.name.to_string())
            }
            other => match other.as_expression().map(Expression::get_inner_expression) {
                Some(Expression::Identifier(name)) => Origin::Local(name.name.to_string()),
                Some(Expression::ArrowFunctionExpression(_)) => Origin::Nameless,
                Some(Expression::FunctionExpression(_)) => Origin::Nameless,
                _ => Origin::Value,
            },
        }
    }

    fn class(&mut self, module: &mut Module, class: &Class<'a>) -> Origin {
        match &class.id {
            Some(id) => {
                module.values.insert(id.name.to_string());
                Origin::Local(id.name.to_string())
            }
            None => Origin::Value,
        }
    }

    /// The names that a declaration declares. Comments may be at any of `starts`, or at its own.
    fn declaration(
        &mut self,
        module: &mut Module,
        declaration: &Declaration<'a>,
        starts: &[u32],
    ) -> Vec<String> {
        let mut starts = starts.to_vec();
        starts.push(declaration.span().start);
        match declaration {
            Declaration::FunctionDeclaration(function) => {
                let Some(id) = &function.id else {
                    return Vec::new();
                };
                let name = id.name.to_string();
                self.function(module, &name, function, &starts);
                vec![name]
            }
            Declaration::VariableDeclaration(variables) => {
                self.variables(module, variables, &starts)
            }
            Declaration::ClassDeclaration(class) => match self.class(module, class) {
                Origin::Local(name) => vec![name],
                _ => Vec::new(),
            },
            Declaration::TSTypeAliasDeclaration(alias) => {
                let name = alias.id.name.to_string();
                let mut ty = self.annotation(&alias.type_annotation);
                // TypeScript has no integers; these names say it.
                if matches!(ty.kind, Kind::Number)
                    && matches!(name.to_lowercase().as_str(), "integer" | "int")
                {
                    ty.kind = Kind::Integer;
                }
                let doc = self.doc_at_any(&starts);
                let declared = Declared {
                    ty,
                    notes: doc.map(|doc| doc.notes()).unwrap_or_default(),
                    line: self.line(alias.span),
                    generic: alias.type_parameters.is_some(),
                };
                module.types.insert(name.clone(), declared);
                vec![name]
            }
            Declaration::TSInterfaceDeclaration(interface) => {
                self.interface(module, interface, &starts);
                vec![interface.id.name.to_string()]
            }
            Declaration::TSEnumDeclaration(of) => {
                let line = self.line(of.span);
                let name = of.id.name.to_string();
                let declared = Declared {
                    ty: Type::refused(line, format!("the enum `{name}`"), strip::NO_ENUM),
                    notes: Notes::default(),
                    line,
                    generic: false,
                };
                module.types.insert(name.clone(), declared);
                if !of.declare {
                    module.values.insert(name.clone());
                }
                vec![name]
            }
            Declaration::TSNamespaceDeclaration(of) => {
                module.values.insert(of.id.name.to_string());
                vec![of.id.name.to_string()]
            }
            _ => Vec::new(),
        }
    }

    fn interface(
        &mut self,
        module: &mut Module,
        interface: &TSInterfaceDeclaration<'a>,
        starts: &[u32],
    ) {
        let line = self.line(interface.span);
        let own = self.members(&interface.body.body, line, 0);
        let mut parts: Vec<Type> = Vec::new();
        for base in &interface.extends {
            let name = match &base.type_name {
                oxc_ast::ast::TSTypeName::IdentifierReference(name) => name.name.to_string(),
                _ => {
                    parts.push(Type::refused(
                        self.line(base.span),
                        "a base in a namespace",
                        "give the type a name of its own",
                    ));
                    continue;
                }
            };
            let arguments = base
                .type_arguments
                .as_deref()
                .map_or(&[][..], |of| &of.params);
            let arguments: Vec<_> = arguments
                .iter()
                .map(|ty: &TSType<'_>| self.annotation(ty))
                .collect();
            parts.push(Type::new(
                self.line(base.span),
                Kind::Named(name, arguments),
            ));
        }
        let name = interface.id.name.to_string();
        let mut notes = self
            .doc_at_any(starts)
            .map(|doc| doc.notes())
            .unwrap_or_default();
        let mut generic = interface.type_parameters.is_some();
        // Declared again, it has the members of both.
        if let Some(before) = module.types.remove(&name) {
            generic |= before.generic;
            if notes.description.is_empty() {
                notes = before.notes;
            }
            parts.push(before.ty);
        }
        parts.push(own);
        let ty = match parts.len() {
            1 => parts.pop(),
            _ => None,
        };
        let ty = ty.unwrap_or_else(|| Type::new(line, Kind::Intersection(parts)));
        module.types.insert(
            name,
            Declared {
                ty,
                notes,
                line,
                generic,
            },
        );
    }

    fn variables(
        &mut self,
        module: &mut Module,
        of: &VariableDeclaration<'a>,
        starts: &[u32],
    ) -> Vec<String> {
        let mut names = Vec::new();
        for (at, declarator) in of.declarations.iter().enumerate() {
            let BindingPattern::BindingIdentifier(id) = &declarator.id else {
                for id in declarator.id.get_binding_identifiers() {
                    module.values.insert(id.name.to_string());
                }
                continue;
            };
            let name = id.name.to_string();
            module.values.insert(name.clone());
            names.push(name.clone());
            let Some(init) = &declarator.init else {
                continue;
            };
            let mut starts = if at == 0 { starts.to_vec() } else { Vec::new() };
            starts.push(declarator.span.start);
            match init.get_inner_expression() {
                Expression::ArrowFunctionExpression(arrow) => {
                    let mut function = self.signature(&arrow.params, arrow.return_type.as_deref());
                    function.line = self.line(declarator.span);
                    function.generic = arrow.type_parameters.is_some();
                    function.doc = self.doc_at_any(&starts);
                    module.functions.insert(name, function);
                }
                Expression::FunctionExpression(syntax) => {
                    let mut function =
                        self.signature(&syntax.params, syntax.return_type.as_deref());
                    function.line = self.line(declarator.span);
                    function.generator = syntax.generator;
                    function.generic = syntax.type_parameters.is_some();
                    function.doc = self.doc_at_any(&starts);
                    module.functions.insert(name, function);
                }
                _ if of.kind == VariableDeclarationKind::Const => {
                    if let Ok(value) = literal(init) {
                        module.constants.insert(name, value);
                    }
                }
                _ => {}
            }
        }
        names
    }

    fn function(&mut self, module: &mut Module, name: &str, syntax: &Syntax<'a>, starts: &[u32]) {
        if syntax.declare {
            return;
        }
        let mut function = self.signature(&syntax.params, syntax.return_type.as_deref());
        function.line = self.line(syntax.span);
        function.generator = syntax.generator;
        function.generic = syntax.type_parameters.is_some();
        function.doc = self.doc_at_any(starts);
        function.overloaded = syntax.body.is_none();
        module.values.insert(name.to_owned());
        match module.functions.get_mut(name) {
            // Signatures come before the one with the body.
            Some(before) if before.overloaded => {}
            _ => {
                module.functions.insert(name.to_owned(), function);
            }
        }
    }

    fn signature(
        &self,
        parameters: &FormalParameters<'a>,
        returns: Option<&TSTypeAnnotation<'a>>,
    ) -> Function {
        let list = parameters.items.iter().map(|item| {
            let (pattern, default) = match &item.pattern {
                BindingPattern::AssignmentPattern(of) => (&of.left, Some(&of.right)),
                pattern => (pattern, item.initializer.as_deref()),
            };
            Parameter {
                line: self.line(item.span),
                pattern: self.pattern(pattern),
                ty: item
                    .type_annotation
                    .as_ref()
                    .map(|of| self.annotation(&of.type_annotation)),
                optional: item.optional,
                default: default.map(default_of),
                doc: self.doc_at(item.span.start),
            }
        });
        Function {
            line: 0,
            generator: false,
            generic: false,
            overloaded: false,
            parameters: list.collect(),
            rest: parameters.rest.as_ref().map(|rest| self.line(rest.span)),
            returns: returns.map(|of| self.annotation(&of.type_annotation)),
            doc: None,
        }
    }

    fn pattern(&self, pattern: &BindingPattern<'a>) -> Pattern {
        match pattern {
            BindingPattern::BindingIdentifier(id) => Pattern::Name(id.name.to_string()),
            BindingPattern::ObjectPattern(object) => {
                let mut fields = Vec::new();
                for property in &object.properties {
                    let Some(name) = name(&property.key).filter(|_| !property.computed) else {
                        return Pattern::Other;
                    };
                    let default = match &property.value {
                        BindingPattern::AssignmentPattern(of) => Some(default_of(&of.right)),
                        _ => None,
                    };
                    fields.push(Field {
                        name,
                        default,
                        line: self.line(property.span),
                    });
                }
                Pattern::Object(fields)
            }
            _ => Pattern::Other,
        }
    }

    /// `export const schemas = …`
    fn schemas(&self, module: &mut Module, declaration: &Declaration<'a>) {
        let Declaration::VariableDeclaration(variables) = declaration else {
            return;
        };
        let mut declarators = variables.declarations.iter();
        let found = declarators.find(
            |of| matches!(&of.id, BindingPattern::BindingIdentifier(id) if id.name == "schemas"),
        );
        let Some((declarator, init)) = found.and_then(|of| Some((of, of.init.as_ref()?))) else {
            return;
        };
        let value = literal(init).map_err(|not| {
            problem(
                self.file,
                self.line(not.span),
                format!(
                    "`schemas` holds {}, which cannot be read without running it",
                    not.what
                ),
                "write the schemas out as one literal",
            )
        });
        module.schemas = Some((self.line(declarator.span), value));
    }
}

fn default_of(expression: &Expression<'_>) -> Fallback {
    match literal(expression) {
        Ok(value) if !is_undefined(expression) => Fallback::Literal(value),
        _ => Fallback::Other,
    }
}

/// `module.exports = …`, `module.exports.name = …`, `exports.name = …`
fn is_commonjs(expression: &Expression<'_>) -> bool {
    let Expression::AssignmentExpression(assignment) = expression else {
        return false;
    };
    let Some(mut object) = assignment
        .left
        .as_member_expression()
        .map(|member| member.object())
    else {
        return false;
    };
    // `exports` or `module` is what the left side begins with.
    let mut steps = 1;
    while let Some(member) = object.as_member_expression() {
        object = member.object();
        steps += 1;
    }
    match object {
        Expression::Identifier(name) if name.name == "exports" => true,
        Expression::Identifier(name) if name.name == "module" => {
            let left = &assignment.left;
            let direct = left
                .as_member_expression()
                .and_then(|member| member.static_property_name());
            steps > 1 || direct.is_some_and(|name| name == "exports")
        }
        _ => false,
    }
}

/// `{A, B as C} from "./file"`
fn import_tag(text: &str) -> Vec<(String, Import)> {
    let Some((names, rest)) = super::doc::braced(text) else {
        return Vec::new();
    };
    let from = rest.trim().strip_prefix("from").unwrap_or_default().trim();
    let from = from.trim_matches(|c| c == '"' || c == '\'' || c == ';');
    let names = names.split(',').filter_map(|name| {
        let mut words = name.split_whitespace();
        let imported = words.next()?.to_owned();
        let local = words.last().map_or_else(|| imported.clone(), str::to_owned);
        let import = Import {
            from: from.to_owned(),
            imported: Some(imported),
            type_only: true,
        };
        Some((local, import))
    });
    names.collect()
}
