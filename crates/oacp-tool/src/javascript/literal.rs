//! Values that are written out: defaults, constants, schemas.

use oxc_ast::ast::{
    ArrayExpressionElement, BinaryOperator, Expression, ObjectPropertyKind, PropertyKind,
    UnaryOperator,
};
use oxc_span::{GetSpan, Span};
use serde_json::{Map, Number, Value};

use super::limits::LITERAL_DEPTH_MAX;

/// What is not written out, and where.
pub(super) struct NotLiteral {
    pub(super) span: Span,
    pub(super) what: &'static str,
}

/// The JSON that an expression is, without anything being run.
pub(super) fn literal(expression: &Expression<'_>) -> Result<Value, NotLiteral> {
    value(expression, 0)
}

/// Whether it is `undefined`.
pub(super) fn is_undefined(expression: &Expression<'_>) -> bool {
    match expression.get_inner_expression() {
        Expression::Identifier(name) => name.name == "undefined",
        Expression::UnaryExpression(unary) => unary.operator == UnaryOperator::Void,
        _ => false,
    }
}

fn value(expression: &Expression<'_>, depth: usize) -> Result<Value, NotLiteral> {
    let refused = |what| {
        Err(NotLiteral {
            span: expression.span(),
            what,
        })
    };
    if depth > LITERAL_DEPTH_MAX {
        return refused("too deeply nested");
    }
    match expression.get_inner_expression() {
        Expression::BooleanLiteral(literal) => Ok(Value::Bool(literal.value)),
        Expression::NullLiteral(_) => Ok(Value::Null),
        Expression::NumericLiteral(literal) => match number(literal.value) {
            Some(number) => Ok(Value::Number(number)),
            None => refused("a number that JSON does not have"),
        },
        Expression::StringLiteral(literal) if literal.lone_surrogates => {
            refused("a string that is not Unicode")
        }
        Expression::StringLiteral(literal) => Ok(Value::String(literal.value.to_string())),
        Expression::TemplateLiteral(template) => match template.quasis.first() {
            Some(only) if template.expressions.is_empty() => match only.value.cooked {
                Some(text) if !only.lone_surrogates => Ok(Value::String(text.to_string())),
                _ => refused("a string that is not Unicode"),
            },
            _ => refused("a template with substitutions"),
        },
        Expression::UnaryExpression(unary) => {
            match (unary.operator, value(&unary.argument, depth + 1)?) {
                (UnaryOperator::UnaryNegation, Value::Number(of)) => {
                    match of.as_f64().and_then(|of| number(-of)) {
                        Some(number) => Ok(Value::Number(number)),
                        None => refused("a number that JSON does not have"),
                    }
                }
                (UnaryOperator::UnaryPlus, of @ Value::Number(_)) => Ok(of),
                (UnaryOperator::LogicalNot, Value::Number(of)) => {
                    Ok(Value::Bool(of.as_f64() == Some(0.0)))
                }
                _ => refused("an expression"),
            }
        }
        Expression::BinaryExpression(binary) if binary.operator == BinaryOperator::Addition => {
            match (
                value(&binary.left, depth + 1)?,
                value(&binary.right, depth + 1)?,
            ) {
                (Value::String(left), Value::String(right)) => Ok(Value::String(left + &right)),
                _ => refused("an expression"),
            }
        }
        Expression::ArrayExpression(array) => {
            let mut items = Vec::new();
            for element in &array.elements {
                match element {
                    ArrayExpressionElement::SpreadElement(_) => return refused("a `...`"),
                    ArrayExpressionElement::Elision(_) => return refused("an array with a gap"),
                    element => match element.as_expression() {
                        Some(item) => items.push(value(item, depth + 1)?),
                        None => return refused("an expression"),
                    },
                }
            }
            Ok(Value::Array(items))
        }
        Expression::ObjectExpression(object) => {
            let mut members = Map::new();
            for property in &object.properties {
                let property = match property {
                    ObjectPropertyKind::ObjectProperty(property) => property,
                    ObjectPropertyKind::SpreadProperty(_) => return refused("a `...`"),
                };
                let name = property.key.static_name().filter(|_| {
                    !property.computed && property.kind == PropertyKind::Init && !property.method
                });
                let Some(name) = name else {
                    return refused("a computed key, a getter or a method");
                };
                members.insert(name.into_owned(), value(&property.value, depth + 1)?);
            }
            Ok(Value::Object(members))
        }
        Expression::Identifier(_) => refused("a name"),
        Expression::CallExpression(_) | Expression::NewExpression(_) => refused("a call"),
        _ => refused("an expression"),
    }
}

/// A number as JSON writes it: whole ones without a point.
pub(super) fn number(value: f64) -> Option<Number> {
    // Every whole number up to 2^53 is exact in both.
    #[expect(clippy::cast_possible_truncation, reason = "within ±2^53")]
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}
