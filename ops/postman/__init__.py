"""The Postman collection, generated from the OpenAPI document."""
