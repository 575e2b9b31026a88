"""A Scrapy project with the settings that `scrapy startproject` writes."""
