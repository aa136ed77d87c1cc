//! The walk that finds what is TypeScript's own.

use std::collections::BTreeSet;

use oacp::source::SourcePath;
use oxc_ast::ast::{
    AccessorProperty, ArrowFunctionExpression, CatchParameter, Class, ClassElement, Declaration,
    Decorator, ExportAllDeclaration, ExportDeclaration, ExportDefaultDeclaration,
    ExportDefaultDeclarationKind, ExportFromDeclaration, ExportNamedDeclaration, ExportSpecifier,
    Expression, FormalParameter, FormalParameterRest, FormalParameters, Function,
    IdentifierReference, ImportDeclaration, ImportDeclarationSpecifier, ImportExpression,
    ImportOrExportKind, MethodDefinition, MethodDefinitionType, PropertyDefinition,
    PropertyDefinitionType, PropertyKey, Statement, StringLiteral, TSAsExpression,
    TSNamespaceDeclaration, TSNamespaceDeclarationBody, TSNonNullExpression, TSSatisfiesExpression,
    TSThisParameter, TSTypeAnnotation, TSTypeAssertion, TSTypeParameterDeclaration,
    TSTypeParameterInstantiation, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use super::edits::{Edits, is_line_end};
use super::{NO_ENUM, Outcome, Stripped, Use, Used};
use crate::javascript::parse::{Lines, slice};
use crate::javascript::problem::problem;
use crate::package::Remark;

/// Modifiers that JavaScript does not have.
const MODIFIERS: [&str; 7] = [
    "public",
    "private",
    "protected",
    "readonly",
    "override",
    "declare",
    "abstract",
];

pub(super) struct Visitor<'t> {
    file: &'t SourcePath,
    text: &'t str,
    lines: &'t Lines,
    edits: Edits,
    problems: Vec<Remark>,
    uses: Vec<Use>,
    specifiers: Vec<(String, u32)>,
    references: BTreeSet<String>,
}

impl<'t> Visitor<'t> {
    pub(super) fn new(file: &'t SourcePath, text: &'t str, lines: &'t Lines) -> Self {
        Self {
            file,
            text,
            lines,
            edits: Edits::default(),
            problems: Vec::new(),
            uses: Vec::new(),
            specifiers: Vec::new(),
            references: BTreeSet::new(),
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        Outcome {
            stripped: Stripped {
                edits: self.edits,
                problems: self.problems,
                uses: self.uses,
                references: self.references,
            },
            specifiers: self.specifiers,
        }
    }

    fn refuse(&mut self, span: Span, message: &str, fix: &str) {
        let line = self.lines.at(span.start);
        self.problems.push(problem(self.file, line, message, fix));
    }

    fn slice(&self, start: u32, end: u32) -> &'t str {
        slice(self.text, Span::new(start, end.max(start)))
    }

    fn breaks(&self, start: u32, end: u32) -> bool {
        self.slice(start, end).contains(is_line_end)
    }

    /// Where a text stands between two places, comments apart.
    fn find(&self, start: u32, end: u32, wanted: &str) -> Option<u32> {
        let text = self.slice(start, end);
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(comment) = rest.strip_prefix("//") {
                rest = comment.find(is_line_end).and_then(|at| comment.get(at..))?;
            } else if let Some(comment) = rest.strip_prefix("/*") {
                rest = comment.split_once("*/")?.1;
            } else if rest.starts_with(wanted) {
                return start.checked_add(u32::try_from(text.len() - rest.len()).ok()?);
            } else {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
            }
        }
        None
    }

    /// Blanks a one-character mark between two places.
    fn blank_mark(&mut self, start: u32, end: u32, mark: &str) {
        if let Some(at) = self.find(start, end, mark) {
            self.edits.blank(Span::new(at, at + 1));
        }
    }

    /// If a statement's end was erased and nothing else ends it, a `;` does.
    fn end(&mut self, end: u32) {
        if let Some(start) = self.edits.ending_at(end) {
            self.edits.write(start, ';');
        }
    }

    /// Blanks the modifiers before a member's name.
    fn modifiers(
        &mut self,
        span: Span,
        decorators: &[Decorator<'_>],
        key: Span,
        next_is_open: bool,
    ) {
        let start = decorators.last().map_or(span.start, |last| last.span.end);
        let text = self.slice(start, key.start);
        let mut rest = text;
        let mut first = true;
        while !rest.is_empty() {
            let at = start + u32::try_from(text.len() - rest.len()).unwrap_or_default();
            if let Some(comment) = rest.strip_prefix("//") {
                rest = comment
                    .find(is_line_end)
                    .and_then(|at| comment.get(at..))
                    .unwrap_or_default();
                continue;
            }
            if let Some(comment) = rest.strip_prefix("/*") {
                rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
                continue;
            }
            let length = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            if length == 0 {
                let mut chars = rest.chars();
                chars.next();
                rest = chars.as_str();
                continue;
            }
            let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            if MODIFIERS.contains(&word) {
                self.edits.blank(Span::new(
                    at,
                    at + u32::try_from(length).unwrap_or_default(),
                ));
                // `x = 1` on the line before would go on with `[key]` or `*generator`.
                if first && next_is_open {
                    self.edits.write(at, ';');
                }
            }
            first = false;
            rest = after;
        }
    }

    /// What is between a member's name and its value.
    fn behind_key(
        &mut self,
        key: &PropertyKey<'_>,
        computed: bool,
        annotation: Option<&TSTypeAnnotation<'_>>,
        until: u32,
    ) {
        let mut start = key.span().end;
        if computed {
            start = self.find(start, until, "]").map_or(start, |at| at + 1);
        }
        match annotation {
            Some(annotation) => self.edits.blank(Span::new(start, annotation.span.end)),
            None => {
                for mark in ["?", "!"] {
                    self.blank_mark(start, until, mark);
                }
            }
        }
    }

    fn specifier(&mut self, source: &StringLiteral<'_>) {
        let line = self.lines.at(source.span.start);
        let name = source.value.as_str();
        self.specifiers.push((name.to_owned(), line));
        let raw = slice(self.text, source.span);
        let relative = name.starts_with('.') || name.starts_with('/');
        let raw = raw.trim_end_matches(['"', '\'']);
        if relative
            && (raw.ends_with(".ts") || raw.ends_with(".mts"))
            && !raw.ends_with(".d.ts")
            && !raw.ends_with(".d.mts")
        {
            // `ts"` becomes `js"`.
            self.edits.write(source.span.end.saturating_sub(3), 'j');
        }
    }

    /// A name in a list, with the comma behind it.
    fn in_list(&self, span: Span, list_end: u32) -> Span {
        match self.find(span.end, list_end, ",") {
            Some(comma) if self.slice(span.end, comma).trim().is_empty() => {
                Span::new(span.start, comma + 1)
            }
            _ => span,
        }
    }

    fn export_names(
        &mut self,
        span: Span,
        from: Option<&StringLiteral<'_>>,
        specifiers: &[ExportSpecifier<'_>],
    ) {
        let mut names = Vec::new();
        for specifier in specifiers {
            let place = self.in_list(specifier.span, span.end);
            if specifier.export_kind == ImportOrExportKind::Type {
                self.edits.blank(place);
            } else {
                if from.is_none() {
                    self.references.insert(specifier.local.name().to_string());
                }
                names.push(Used {
                    name: specifier.local.name().to_string(),
                    local: None,
                    span: Some(place),
                });
            }
        }
        self.uses.push(Use {
            span,
            from: from.map(|source| source.value.to_string()),
            names,
            import: false,
        });
    }

    /// A function without a body: a signature of one that is overloaded, or declared only.
    fn is_signature(function: &Function<'_>) -> bool {
        function.body.is_none()
    }

    fn is_erased(declaration: &Declaration<'_>) -> bool {
        match declaration {
            Declaration::TSTypeAliasDeclaration(_)
            | Declaration::TSInterfaceDeclaration(_)
            | Declaration::TSGlobalDeclaration(_)
            | Declaration::TSExternalModuleDeclaration(_) => true,
            Declaration::FunctionDeclaration(of) => of.declare || Self::is_signature(of),
            Declaration::VariableDeclaration(of) => of.declare,
            Declaration::ClassDeclaration(of) => of.declare,
            Declaration::TSEnumDeclaration(of) => of.declare,
            Declaration::TSNamespaceDeclaration(of) => of.declare || has_only_types(of, 0),
            Declaration::TSImportEqualsDeclaration(of) => {
                of.import_kind == ImportOrExportKind::Type
            }
        }
    }

    /// Whether a declaration is erased, or refused; with it goes the statement.
    fn declaration(&mut self, declaration: &Declaration<'_>, whole: Span) -> bool {
        if Self::is_erased(declaration) {
            self.edits.blank_whole(whole);
            return true;
        }
        match declaration {
            Declaration::TSEnumDeclaration(of) => {
                self.refuse(of.span, "an `enum` has to be compiled", NO_ENUM);
                true
            }
            Declaration::TSNamespaceDeclaration(of) => {
                let fix = "export its members from a file of their own, and `import * as name` from there";
                self.refuse(of.span, "a `namespace` with values has to be compiled", fix);
                true
            }
            Declaration::TSImportEqualsDeclaration(of) => {
                let fix = "write `import name from \"./file.ts\"`, or `const name = Other.name`";
                self.refuse(of.span, "an `import … =` has to be compiled", fix);
                true
            }
            _ => false,
        }
    }

    /// What is left of type parameters on several lines is lines. After `async` or `return` none may begin.
    fn arrow_type_parameters(&mut self, arrow: &ArrowFunctionExpression<'_>) {
        if let Some(of) = &arrow.type_parameters
            && self.breaks(of.span.start, of.span.end)
        {
            let before = self.slice(0, of.span.start).trim_end();
            let word = before.rsplit(|c: char| !c.is_ascii_alphabetic()).next();
            if matches!(word, Some("async" | "return" | "throw" | "yield")) {
                self.refuse(
                    of.span,
                    "these type parameters are on several lines",
                    "write them on one line",
                );
            }
        }
    }
}

/// Whether a namespace declares types and nothing that runs.
fn has_only_types(namespace: &TSNamespaceDeclaration<'_>, depth: usize) -> bool {
    if depth > crate::javascript::limits::TYPE_DEPTH_MAX {
        return false;
    }
    match &namespace.body {
        TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
            has_only_types(inner, depth + 1)
        }
        TSNamespaceDeclarationBody::TSModuleBlock(block) => block.body.iter().all(|statement| {
            let declaration = match statement {
                Statement::ExportDeclaration(export) => Some(&export.declaration),
                statement => statement.as_declaration(),
            };
            match declaration {
                Some(Declaration::TSNamespaceDeclaration(inner)) => {
                    has_only_types(inner, depth + 1)
                }
                Some(Declaration::TSImportEqualsDeclaration(_)) | None => false,
                Some(declaration) => Visitor::is_erased(declaration),
            }
        }),
    }
}

impl<'a> Visit<'a> for Visitor<'_> {
    fn visit_statement(&mut self, it: &Statement<'a>) {
        if let Some(declaration) = it.as_declaration()
            && self.declaration(declaration, it.span())
        {
            return;
        }
        match it {
            Statement::TSExportAssignment(of) => {
                self.refuse(
                    of.span,
                    "an `export =` has to be compiled",
                    "write `export default` or `export { … }`",
                );
                return;
            }
            Statement::TSNamespaceExportDeclaration(of) => {
                self.edits.blank_whole(of.span);
                return;
            }
            _ => {}
        }
        walk::walk_statement(self, it);
        match it {
            Statement::ExpressionStatement(_)
            | Statement::VariableDeclaration(_)
            | Statement::ReturnStatement(_)
            | Statement::ThrowStatement(_)
            | Statement::ExportDefaultDeclaration(_)
            | Statement::ExportDeclaration(_) => self.end(it.span().end),
            _ => {}
        }
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        if !self.declaration(&it.declaration, it.span) {
            walk::walk_export_declaration(self, it);
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        match &it.declaration {
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => {
                self.edits.blank_whole(it.span)
            }
            ExportDefaultDeclarationKind::FunctionDeclaration(of) if Self::is_signature(of) => {
                self.edits.blank_whole(it.span);
            }
            ExportDefaultDeclarationKind::Identifier(name) => {
                self.references.insert(name.name.to_string());
                self.uses.push(Use {
                    span: it.span,
                    from: None,
                    names: vec![Used {
                        name: name.name.to_string(),
                        local: None,
                        span: None,
                    }],
                    import: false,
                });
            }
            _ => walk::walk_export_default_declaration(self, it),
        }
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        self.specifier(&it.source);
        if it.import_kind == ImportOrExportKind::Type {
            self.edits.blank_whole(it.span);
            return;
        }
        let Some(specifiers) = &it.specifiers else {
            return;
        };
        let mut names = Vec::new();
        for specifier in specifiers {
            match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(of) => {
                    let place = self.in_list(of.span, it.source.span.start);
                    if of.import_kind == ImportOrExportKind::Type {
                        self.edits.blank(place);
                    } else {
                        names.push(Used {
                            name: of.imported.name().to_string(),
                            local: Some(of.local.name.to_string()),
                            span: Some(place),
                        });
                    }
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(of) => {
                    names.push(Used {
                        name: "default".to_owned(),
                        local: Some(of.local.name.to_string()),
                        span: Some(self.in_list(of.span, it.source.span.start)),
                    });
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(of) => names.push(Used {
                    name: "*".to_owned(),
                    local: Some(of.local.name.to_string()),
                    // With the comma behind a default import before it.
                    span: Some(match specifiers.first() {
                        Some(ImportDeclarationSpecifier::ImportDefaultSpecifier(first)) => {
                            Span::new(first.span.end, of.span.end)
                        }
                        _ => of.span,
                    }),
                }),
            }
        }
        self.uses.push(Use {
            span: it.span,
            from: Some(it.source.value.to_string()),
            names,
            import: !specifiers.is_empty(),
        });
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            self.edits.blank_whole(it.span);
            return;
        }
        self.export_names(it.span, None, &it.specifiers);
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        self.specifier(&it.source);
        if it.export_kind == ImportOrExportKind::Type {
            self.edits.blank_whole(it.span);
            return;
        }
        self.export_names(it.span, Some(&it.source), &it.specifiers);
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        self.specifier(&it.source);
        if it.export_kind == ImportOrExportKind::Type {
            self.edits.blank_whole(it.span);
            return;
        }
        self.uses.push(Use {
            span: it.span,
            from: Some(it.source.value.to_string()),
            names: vec![Used {
                name: "*".to_owned(),
                local: None,
                span: None,
            }],
            import: false,
        });
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        if let Expression::StringLiteral(source) = &it.source {
            self.specifier(source);
        }
        walk::walk_import_expression(self, it);
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.references.insert(it.name.to_string());
    }

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.edits.blank(it.span);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.edits.blank(it.span);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.edits.blank(it.span);
    }

    fn visit_ts_this_parameter(&mut self, _it: &TSThisParameter<'a>) {
        // The function that it is of blanks it, with the comma.
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits
            .blank(Span::new(it.expression.span().end, it.span.end));
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits
            .blank(Span::new(it.expression.span().end, it.span.end));
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits
            .blank(Span::new(it.expression.span().end, it.span.end));
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        let start = it.expression.span().start;
        if self.breaks(it.span.start, start) {
            self.refuse(
                it.span,
                "a type in angle brackets is on several lines",
                "write `value as Type`",
            );
        }
        self.edits.blank(Span::new(it.span.start, start));
        self.visit_expression(&it.expression);
    }

    fn visit_decorator(&mut self, it: &Decorator<'a>) {
        self.refuse(
            it.span,
            "a decorator has to be compiled",
            "call the function yourself",
        );
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        walk::walk_variable_declarator(self, it);
        if let Some(annotation) = &it.type_annotation {
            // With the `!` before it.
            self.edits
                .blank(Span::new(it.id.span().end, annotation.span.end));
        }
    }

    fn visit_catch_parameter(&mut self, it: &CatchParameter<'a>) {
        walk::walk_catch_parameter(self, it);
        if let Some(annotation) = &it.type_annotation {
            self.edits
                .blank(Span::new(it.pattern.span().end, annotation.span.end));
        }
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        if let Some(this) = &it.this_param {
            let next = it.params.items.first().map(|item| item.span.start);
            let next = next.or_else(|| it.params.rest.as_ref().map(|rest| rest.span.start));
            let next = next.unwrap_or(it.params.span.end.saturating_sub(1));
            self.edits.blank(Span::new(this.span.start, next));
        }
        walk::walk_function(self, it, flags);
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        self.arrow_type_parameters(it);
        walk::walk_arrow_function_expression(self, it);
        let parenthesis = it.params.span.end.saturating_sub(1);
        if let Some(returns) = &it.return_type
            && self.slice(parenthesis, it.params.span.end) == ")"
            && self.breaks(parenthesis, returns.span.end)
        {
            self.edits.blank(Span::new(parenthesis, returns.span.end));
            let last = self
                .slice(returns.span.start, returns.span.end)
                .chars()
                .last();
            let width = last.map_or(1, char::len_utf8);
            let at = returns
                .span
                .end
                .saturating_sub(u32::try_from(width).unwrap_or(1));
            self.edits.write(at, ')');
        }
    }

    fn visit_formal_parameters(&mut self, it: &FormalParameters<'a>) {
        walk::walk_formal_parameters(self, it);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        if it.accessibility.is_some() || it.readonly || it.r#override {
            self.refuse(
                it.span,
                "a parameter that is a property has to be compiled",
                "declare the field in the class, and assign it in the constructor: `this.name = name;`",
            );
        }
        walk::walk_formal_parameter(self, it);
        let start = it.pattern.span().end;
        if let Some(annotation) = &it.type_annotation {
            // With the `?` before it.
            self.edits.blank(Span::new(start, annotation.span.end));
        } else if it.optional {
            let until = it
                .initializer
                .as_ref()
                .map_or(it.span.end + 1, |of| of.span().start);
            self.blank_mark(start, until, "?");
        }
    }

    fn visit_formal_parameter_rest(&mut self, it: &FormalParameterRest<'a>) {
        walk::walk_formal_parameter_rest(self, it);
        if let Some(annotation) = &it.type_annotation {
            self.edits
                .blank(Span::new(it.rest.argument.span().end, annotation.span.end));
        }
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        let name_start = it
            .id
            .as_ref()
            .map_or(it.body.span.start, |id| id.span.start);
        if it.r#abstract {
            let start = it
                .decorators
                .last()
                .map_or(it.span.start, |last| last.span.end);
            if let Some(at) = self.find(start, name_start, "abstract") {
                self.edits.blank(Span::new(at, at + 8));
            }
        }
        if let Some(last) = it.implements.last() {
            let heritage = it.heritage.as_ref().map(|of| {
                let arguments = of.type_arguments.as_ref();
                arguments.map_or(of.expression.span().end, |of| of.span.end)
            });
            let start = heritage
                .or_else(|| it.type_parameters.as_ref().map(|of| of.span.end))
                .or_else(|| it.id.as_ref().map(|id| id.span.end))
                .unwrap_or(it.span.start);
            if let Some(at) = self.find(start, last.span.end, "implements") {
                self.edits.blank(Span::new(at, last.span.end));
            }
        }
        self.visit_decorators(&it.decorators);
        if let Some(of) = &it.type_parameters {
            self.edits.blank(of.span);
        }
        if let Some(heritage) = &it.heritage {
            self.visit_class_heritage(heritage);
        }
        self.visit_class_body(&it.body);
    }

    fn visit_class_element(&mut self, it: &ClassElement<'a>) {
        let erased = match it {
            ClassElement::TSIndexSignature(_) => true,
            ClassElement::MethodDefinition(of) => {
                of.r#type == MethodDefinitionType::TSAbstractMethodDefinition
                    || of.value.body.is_none()
            }
            ClassElement::PropertyDefinition(of) => {
                of.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition || of.declare
            }
            ClassElement::AccessorProperty(of) => {
                of.r#type == oxc_ast::ast::AccessorPropertyType::TSAbstractAccessorProperty
            }
            ClassElement::StaticBlock(_) => false,
        };
        if erased {
            self.edits.blank_whole(it.span());
            return;
        }
        walk::walk_class_element(self, it);
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        let next_is_open = it.computed
            || it.value.generator
            || !matches!(it.key, PropertyKey::StaticIdentifier(_));
        self.modifiers(it.span, &it.decorators, it.key.span(), next_is_open);
        if it.optional {
            self.behind_key(&it.key, it.computed, None, it.value.params.span.start);
        }
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        let named_in = it.key.is_specific_id("in") || it.key.is_specific_id("instanceof");
        self.modifiers(
            it.span,
            &it.decorators,
            it.key.span(),
            it.computed || named_in,
        );
        if it.optional || it.definite || it.type_annotation.is_some() {
            let until = it
                .value
                .as_ref()
                .map_or(it.span.end, |value| value.span().start);
            let annotation = it.type_annotation.as_deref();
            let until = annotation.map_or(until, |of| of.span.end);
            self.behind_key(&it.key, it.computed, annotation, until);
        }
        self.visit_decorators(&it.decorators);
        self.visit_property_key(&it.key);
        if let Some(value) = &it.value {
            self.visit_expression(value);
        }
        self.end(it.span.end);
    }

    fn visit_accessor_property(&mut self, it: &AccessorProperty<'a>) {
        self.modifiers(it.span, &it.decorators, it.key.span(), it.computed);
        walk::walk_accessor_property(self, it);
        self.end(it.span.end);
    }
}
