from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """A provider's object: what we read is checked, what we do not read is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
