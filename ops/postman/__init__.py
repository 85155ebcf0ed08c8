"""The Postman collection, made of the OpenAPI document."""
