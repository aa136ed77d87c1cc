//! Types as TypeScript's annotations have them.

use oxc_ast::ast::{
    PropertyKey, TSImportTypeQualifier, TSLiteral, TSSignature, TSTupleElement, TSType, TSTypeName,
    TSTypeOperatorOperator, TSTypeParameterInstantiation, TSTypeQueryExprName, UnaryOperator,
};
use oxc_span::{GetSpan, Span};
use serde_json::Value;

use super::limits::TYPE_DEPTH_MAX;
use super::literal::number;
use super::module::Reader;
use super::parse::slice;
use super::problem::quoted;
use super::types::{Element, Kind, Member, Type, instead_of};

impl Reader<'_, '_> {
    /// A type, as it is written.
    pub(super) fn annotation(&self, ty: &TSType<'_>) -> Type {
        self.ty(ty, 0)
    }

    fn ty(&self, ty: &TSType<'_>, depth: usize) -> Type {
        let line = self.line(ty.span());
        if depth > TYPE_DEPTH_MAX {
            return Type::too_deep(line);
        }
        let inner = |ty: &TSType<'_>| self.ty(ty, depth + 1);
        let all = |types: &[TSType<'_>]| types.iter().map(inner).collect::<Vec<_>>();
        let refused = |fix: &str| Type::refused(line, self.written(ty.span()), fix);
        let known = |name: &str| refused(instead_of(name).unwrap_or_default());
        let kind = match ty {
            TSType::TSAnyKeyword(_) | TSType::TSUnknownKeyword(_) | TSType::JSDocUnknownType(_) => {
                Kind::Any
            }
            TSType::TSStringKeyword(_) => Kind::String,
            TSType::TSNumberKeyword(_) => Kind::Number,
            TSType::TSBooleanKeyword(_) => Kind::Boolean,
            TSType::TSNullKeyword(_) => Kind::Null,
            TSType::TSUndefinedKeyword(_) | TSType::TSVoidKeyword(_) => Kind::Undefined,
            TSType::TSObjectKeyword(_) => Kind::Object,
            TSType::TSBigIntKeyword(_) => return known("bigint"),
            TSType::TSSymbolKeyword(_) => return known("symbol"),
            TSType::TSNeverKeyword(_) => return known("never"),
            TSType::TSThisType(_) => return known("this"),
            TSType::TSFunctionType(_) | TSType::TSConstructorType(_) => return known("Function"),
            TSType::TSParenthesizedType(of) => return inner(&of.type_annotation),
            TSType::TSArrayType(of) => Kind::Array(Box::new(inner(&of.element_type))),
            TSType::TSTupleType(tuple) => return self.tuple(&tuple.element_types, line, depth),
            TSType::TSUnionType(union) => Kind::Union(all(&union.types)),
            TSType::TSIntersectionType(of) => Kind::Intersection(all(&of.types)),
            TSType::TSLiteralType(literal) => match constant(&literal.literal) {
                Some(value) => Kind::Literal(value),
                None => return refused("write a string or a number"),
            },
            TSType::TSTypeLiteral(literal) => return self.members(&literal.members, line, depth),
            TSType::TSTypeOperatorType(operator) => match operator.operator {
                TSTypeOperatorOperator::Readonly => return inner(&operator.type_annotation),
                TSTypeOperatorOperator::Keyof => {
                    Kind::KeyOf(Box::new(inner(&operator.type_annotation)))
                }
                TSTypeOperatorOperator::Unique => return known("symbol"),
            },
            TSType::TSTypeReference(reference) => {
                return match &reference.type_name {
                    TSTypeName::IdentifierReference(name) => self.named(
                        name.name.as_str(),
                        reference.type_arguments.as_deref(),
                        line,
                        depth,
                    ),
                    _ => refused("give the type a name of its own, without a namespace"),
                };
            }
            TSType::TSImportType(import) => match &import.qualifier {
                Some(TSImportTypeQualifier::Identifier(name))
                    if import.type_arguments.is_none() =>
                {
                    Kind::Imported {
                        from: import.source.value.to_string(),
                        name: name.name.to_string(),
                    }
                }
                _ => {
                    return refused(
                        "import the type by name: `import type { Name } from \"./file.ts\"`",
                    );
                }
            },
            TSType::TSTypeQuery(query) => match &query.expr_name {
                TSTypeQueryExprName::IdentifierReference(name) => {
                    Kind::TypeOf(name.name.to_string())
                }
                _ => return refused("write the type out"),
            },
            TSType::TSIndexedAccessType(access) => Kind::Indexed(
                Box::new(inner(&access.object_type)),
                Box::new(inner(&access.index_type)),
            ),
            TSType::JSDocNullableType(of) => Kind::Union(vec![
                inner(&of.type_annotation),
                Type::new(line, Kind::Null),
            ]),
            TSType::JSDocNonNullableType(of) => return inner(&of.type_annotation),
            TSType::TSMappedType(_) => return refused("write the members out, or `Record<K, T>`"),
            TSType::TSTemplateLiteralType(_) => {
                return refused("write `string`, with `@pattern` above the member");
            }
            TSType::TSTypePredicate(_) => return refused("write `boolean`"),
            _ => return refused("write the type out"),
        };
        Type::new(line, kind)
    }

    fn named(
        &self,
        name: &str,
        arguments: Option<&TSTypeParameterInstantiation<'_>>,
        line: u32,
        depth: usize,
    ) -> Type {
        let arguments = arguments.map_or(&[][..], |of| &of.params);
        let arguments: Vec<_> = arguments.iter().map(|ty| self.ty(ty, depth + 1)).collect();
        let kind = match (name, arguments.len()) {
            ("String", 0) => Kind::String,
            ("Number", 0) => Kind::Number,
            ("Boolean", 0) => Kind::Boolean,
            ("Object", 0) => Kind::Object,
            _ => Kind::Named(name.to_owned(), arguments),
        };
        Type::new(line, kind)
    }

    fn tuple(&self, elements: &[TSTupleElement<'_>], line: u32, depth: usize) -> Type {
        let (mut list, mut rest) = (Vec::new(), None);
        for element in elements {
            match self.element(element, depth) {
                Some((ty, Place::One)) => list.push(Element {
                    ty,
                    optional: false,
                }),
                Some((ty, Place::Optional)) => list.push(Element { ty, optional: true }),
                Some((
                    Type {
                        kind: Kind::Array(of),
                        ..
                    },
                    Place::Rest,
                )) if rest.is_none() => rest = Some(of),
                _ => {
                    return Type::refused(
                        line,
                        "a tuple of this form",
                        "write `[A, B]`, or `[A, ...B[]]`",
                    );
                }
            }
            if rest.is_some() && list.len() + 1 < elements.len() {
                return Type::refused(
                    line,
                    "a tuple with `...` before its end",
                    "write the `...` last",
                );
            }
        }
        Type::new(line, Kind::Tuple(list, rest))
    }

    fn element(&self, element: &TSTupleElement<'_>, depth: usize) -> Option<(Type, Place)> {
        if depth > TYPE_DEPTH_MAX {
            return None;
        }
        match element {
            TSTupleElement::TSOptionalType(of) => {
                Some((self.ty(&of.type_annotation, depth + 1), Place::Optional))
            }
            TSTupleElement::TSRestType(of) => match &of.type_annotation {
                // `...rest: T[]`
                TSType::TSNamedTupleMember(member) => {
                    let (ty, _) = self.element(&member.element_type, depth + 1)?;
                    Some((ty, Place::Rest))
                }
                ty => Some((self.ty(ty, depth + 1), Place::Rest)),
            },
            TSTupleElement::TSNamedTupleMember(member) => {
                let (ty, place) = self.element(&member.element_type, depth + 1)?;
                Some((
                    ty,
                    if member.optional {
                        Place::Optional
                    } else {
                        place
                    },
                ))
            }
            element => element
                .as_ts_type()
                .map(|ty| (self.ty(ty, depth + 1), Place::One)),
        }
    }

    /// The members of an interface or of a type in braces.
    pub(super) fn members(&self, members: &[TSSignature<'_>], line: u32, depth: usize) -> Type {
        let (mut list, mut index) = (Vec::new(), None);
        for member in members {
            match member {
                TSSignature::TSPropertySignature(property) => {
                    let Some(name) = name(&property.key).filter(|_| !property.computed) else {
                        return Type::refused(
                            self.line(property.span),
                            "a member with a computed name",
                            "write the name out",
                        );
                    };
                    let doc = self.doc_at(property.span.start);
                    let ty = match &property.type_annotation {
                        Some(annotation) => self.ty(&annotation.type_annotation, depth + 1),
                        None => Type::new(self.line(property.span), Kind::Any),
                    };
                    list.push(Member {
                        name,
                        ty,
                        optional: property.optional,
                        notes: doc.map(|doc| doc.notes()).unwrap_or_default(),
                    });
                }
                TSSignature::TSIndexSignature(signature) => {
                    index = Some(Box::new(
                        self.ty(&signature.type_annotation.type_annotation, depth + 1),
                    ));
                }
                other => {
                    return Type::refused(
                        self.line(other.span()),
                        "a member that is a function",
                        instead_of("Function").unwrap_or_default(),
                    );
                }
            }
        }
        Type::new(line, Kind::Members(list, index))
    }

    fn written(&self, span: Span) -> String {
        format!("`{}`", quoted(slice(self.text, span)))
    }
}

enum Place {
    One,
    Optional,
    Rest,
}

pub(super) fn name(key: &PropertyKey<'_>) -> Option<String> {
    match key {
        PropertyKey::PrivateIdentifier(_) => None,
        key => key.static_name().map(std::borrow::Cow::into_owned),
    }
}

fn constant(literal: &TSLiteral<'_>) -> Option<Value> {
    match literal {
        TSLiteral::BooleanLiteral(of) => Some(Value::Bool(of.value)),
        TSLiteral::NumericLiteral(of) => number(of.value).map(Value::Number),
        TSLiteral::StringLiteral(of) if !of.lone_surrogates => {
            Some(Value::String(of.value.to_string()))
        }
        TSLiteral::UnaryExpression(of) if of.operator == UnaryOperator::UnaryNegation => {
            match &of.argument {
                oxc_ast::ast::Expression::NumericLiteral(of) => {
                    number(-of.value).map(Value::Number)
                }
                _ => None,
            }
        }
        _ => None,
    }
}
