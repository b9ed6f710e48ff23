//! `GET api/openapi.json`: the table of routes as OpenAPI describes them.

use actix_web::HttpResponse;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr, Required,
    Response, ResponseBuilder, Schema,
};

use super::asked::Asked;
use super::error::Answered;
use super::routes::{Answers, Needs, ROUTES, Route};
use super::views;

/// `GET api/openapi.json`.
pub(super) async fn describe(asked: Asked) -> Answered<HttpResponse> {
    Ok(views::answer(views::json(&document(&asked.page.cookie()))?))
}

fn document(cookie: &str) -> OpenApi {
    let mut schemas = Vec::new();
    let mut paths = PathsBuilder::new();
    for route in ROUTES {
        let method = if route.changes { HttpMethod::Post } else { HttpMethod::Get };
        let operation = operation(route, &mut schemas).build();
        paths = paths.path(format!("/{}", route.path), PathItem::new(method, operation));
    }
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookie)));
    let components = schemas
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
        .security_scheme("token", bearer)
        .security_scheme("session", session);
    let about = "Runs of tryout. A POST has the headers `Content-Type: application/json` and `X-Tryout: 1`. Errors are \
                 `{\"error\": {\"code\", \"why\"}}`.";
    let info = InfoBuilder::new().title("tryout").version(env!("CARGO_PKG_VERSION")).description(Some(about));
    OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(components.build())).build()
}

fn operation(route: &Route, schemas: &mut Vec<(String, RefOr<Schema>)>) -> OperationBuilder {
    let mut operation = OperationBuilder::new().summary(Some(route.does));
    for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let kind = if name == "number" { Type::Integer } else { Type::String };
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        operation = operation.parameter(parameter.schema(Some(ObjectBuilder::new().schema_type(kind))));
    }
    for (name, kind, says) in route.queries {
        let kind = if *kind == "integer" { Type::Integer } else { Type::String };
        let parameter = ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Query).required(Required::False);
        let parameter = parameter.description(Some(*says));
        operation = operation.parameter(parameter.schema(Some(ObjectBuilder::new().schema_type(kind))));
    }
    if route.changes {
        let body = ContentBuilder::new().schema(Some(ObjectBuilder::new())).build();
        operation = operation.request_body(Some(RequestBodyBuilder::new().content("application/json", body).build()));
    }
    if let Needs::Role(_) = route.needs {
        let either = ["token", "session"].map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
        operation = operation.securities(Some(either));
    }
    operation.response("200", answer(&route.answers, schemas)).response("default", Response::new("An error."))
}

fn answer(answers: &Answers, schemas: &mut Vec<(String, RefOr<Schema>)>) -> Response {
    let response = ResponseBuilder::new();
    let json = |schema: RefOr<Schema>| ContentBuilder::new().schema(Some(schema)).build();
    let object = || RefOr::T(Schema::from(ObjectBuilder::new().build()));
    match answers {
        Answers::File => response.description("A file.").content("*/*", ContentBuilder::new().build()),
        Answers::Text(kind) => response.description("Text.").content(*kind, ContentBuilder::new().build()),
        Answers::Object(what) => response.description(*what).content("application/json", json(object())),
        Answers::Json(schema) => {
            let name = schema(schemas);
            let schema = RefOr::Ref(Ref::from_schema_name(&name));
            response.description(name).content("application/json", json(schema))
        }
    }
    .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = serde_json::to_value(document("tryout")).unwrap();
        for route in ROUTES {
            let method = if route.changes { "post" } else { "get" };
            let operation = &document["paths"][format!("/{}", route.path)][method];
            assert_eq!(operation["summary"], route.does, "{}", route.path);
            assert_eq!(operation["security"].is_array(), route.needs != Needs::Nothing, "{}", route.path);
        }
        let text = document.to_string();
        let references = text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        let missing: Vec<&str> = references.filter(|name| document["components"]["schemas"][*name].is_null()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
