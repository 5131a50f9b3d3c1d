-- name: small_below
-- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
-- Other queries name it as a function of the datastream.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END;
